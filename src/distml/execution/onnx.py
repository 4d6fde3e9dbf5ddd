"""`OnnxModel`: a network that ONNX Runtime predicts with, on CPUs. Neither torch nor the module is loaded for it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from distml.batch import FeatureBatch, InputSpec
from distml.errors import PackageError
from distml.models import ModelSpec
from distml.models.groups import whole_groups
from distml.softmax import softmax
from distml.threads import num_threads

ONNX = "model.onnx"
_ERRORS_ONLY = 3


def is_installed() -> bool:
    """Whether ONNX Runtime can be imported here."""
    try:
        return find_spec("onnxruntime") is not None
    except ValueError:  # an import of it was tried and failed
        return False


def input_names(spec: InputSpec) -> list[str]:
    """What the inputs of an exported network are called: images by their place, as a name could be anything."""
    return ["numeric", "categorical", *(f"tensor_{i}" for i in range(len(spec.tensors)))]


def scores(outputs: np.ndarray, task: str) -> np.ndarray:
    """As `models.network.scores`: not in the file, as ONNX Runtime rounds a row's otherwise among other rows."""
    values = outputs[..., 0].astype(np.float64) if task == "regression" else softmax(outputs)
    return values.mean(axis=1) if outputs.ndim == 3 else values


class OnnxModel:
    """Implements `Model`, but that it can't be saved again. content: an ONNX file from batches to outputs.

    group: rows are given in multiples of it, as kernels round those otherwise that are left over. rows_at_once: bounds
    its memory. threads: as `distml.threads` says where None.
    """

    def __init__(
        self, spec: ModelSpec, content: bytes, *, group: int, rows_at_once: int, threads: int | None = None
    ) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads() if threads is None else threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        # Threads that wait for work in a loop would take CPUs from the replicas beside this one.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.spec = spec
        self._group = group
        self._rows_at_once = max(rows_at_once - rows_at_once % group, group)
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # of classes without a common name
            raise PackageError(
                "an exported network is one that ONNX Runtime takes", received=str(error).strip()[:200], where=ONNX,
                remedy="compare the onnxruntime here with the one that it was packed with",
            ) from error  # fmt: skip
        used = {one.name for one in self._session.get_inputs()}  # a network without categories takes none
        self._inputs = [name if name in used else None for name in input_names(spec.input)]

    def predict(self, batch: FeatureBatch) -> np.ndarray:
        n = len(batch)
        if not n:
            return np.empty(0) if self.spec.task == "regression" else np.empty((0, self.spec.input.num_outputs))
        arrays = [batch.numeric, batch.categorical, *(batch.tensors[name] for name in self.spec.input.tensors)]
        if n <= self._rows_at_once:
            return self._run(arrays)
        starts = range(0, n, self._rows_at_once)
        return np.concatenate([self._run([a[i : i + self._rows_at_once] for a in arrays]) for i in starts])

    def _run(self, arrays: list[np.ndarray]) -> np.ndarray:
        feeds = {
            name: np.ascontiguousarray(whole_groups(array, self._group))
            for name, array in zip(self._inputs, arrays, strict=True)
            if name is not None
        }
        return scores(self._session.run(None, feeds)[0], self.spec.task)[: len(arrays[0])]

    def save(self, folder: Path) -> None:
        raise PackageError(
            "a package is saved with its networks' weights", received="a network that ONNX Runtime predicts with",
            where=str(folder), remedy="load it with as_fitted=True",
        )  # fmt: skip
