"""A network as an ONNX file, and whether that predicts as the network does.

By tracing: what runs for a few rows is written down. The networks of this house do the same for all rows, so nothing
is lost, it takes hundredths of a second where torch.export takes one or two, and the same network gives the same bytes.
A network of the user's own may decide by its rows, of which a trace would keep one way, so it is left to torch.
"""

from __future__ import annotations

import builtins
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from distml.batch import FeatureBatch
from distml.execution.onnx import OnnxModel, input_names, is_installed
from distml.models import Model, ModelSpec
from distml.models.own import OWN

TOLERANCE = 1e-5
_GROUPS = (2, 4, 8, 16)  # that rows are given in: the first whose rows come out alike among any others
_SIZES = (1, 2, 3, 5, 6, 7, 17)  # of batches that this is tried on
_TRIED_ROWS = 64
_TRACED_ROWS = 3  # a number that nothing else is, should the trace keep it


class NotExported(Exception):
    """Why a network has no ONNX file, in words for the manifest."""


@dataclass(frozen=True)
class Exported:
    """An ONNX file from batches of any length to what a network's module gives; `OnnxModel` says what a group is."""

    content: bytes
    group: int

    def model(self, spec: ModelSpec, rows_at_once: int, threads: int | None = None) -> OnnxModel:
        return OnnxModel(spec, self.content, group=self.group, rows_at_once=rows_at_once, threads=threads)


def export(model: Any, batch: FeatureBatch) -> Exported:
    """A `NetworkModel` on the CPU, exported. batch: rows to trace, and to try it on.

    Raises `NotExported` with the reason where it can't be made or used here, or gives other scores.
    """
    if not is_installed():
        raise NotExported("onnxruntime is not installed where it was packed")
    if model.spec.family == OWN:
        raise NotExported("a network of the user's own may do otherwise for other rows, which a trace wouldn't tell")
    if len(batch) < _TRACED_ROWS:
        raise NotExported(f"{len(batch)} rows are too few to try it on")
    try:
        content = _traced(model, batch.take(slice(0, _TRACED_ROWS)))
        return _agreeing(model, content, batch)
    except NotExported:
        raise
    except Exception as error:  # of the exporter or the runtime, in many ways
        raise NotExported(f"{type(error).__name__}: {(str(error).strip() or '?').splitlines()[0][:200]}") from error


def _traced(model: Any, batch: FeatureBatch) -> bytes:
    import torch

    class Flat(torch.nn.Module):
        """The module with images as inputs one after another."""

        def __init__(self) -> None:
            super().__init__()
            self.module = model.module

        def forward(self, numeric: Any, categorical: Any, *tensors: Any) -> Any:
            return self.module(numeric, categorical, dict(zip(model.spec.input.tensors, tensors, strict=True)))

    arrays = [batch.numeric, batch.categorical, *(batch.tensors[name] for name in model.spec.input.tensors)]
    names, out = input_names(model.spec.input), io.BytesIO()
    with warnings.catch_warnings(), open_lengths():
        warnings.simplefilter("ignore")  # of this way's age, and of sizes that open_lengths leaves open
        torch.onnx.export(
            Flat().eval(),
            tuple(torch.from_numpy(np.array(array)) for array in arrays),
            out,  # type: ignore[arg-type]
            dynamo=False,
            input_names=names,
            output_names=["outputs"],
            dynamic_axes={name: {0: "n"} for name in (*names, "outputs")},
        )
    return out.getvalue()


@contextmanager
def open_lengths() -> Iterator[None]:
    """`len` of a tensor as its traced size within the attention of rtdl_revisiting_models, where a trace would keep
    the number of its own rows; to anyone else who calls it meanwhile it says what it always says."""
    import rtdl_revisiting_models as rtdl
    import torch

    def length(value: Any) -> Any:
        return value.shape[0] if isinstance(value, torch.Tensor) else builtins.len(value)

    rtdl.len = length
    try:
        yield
    finally:
        if hasattr(rtdl, "len"):  # unless another thread has been here
            del rtdl.len


def _agreeing(model: Any, content: bytes, batch: FeatureBatch) -> Exported:
    """The file with the least group in which it scores all rows as the model does, each alike beside any others."""
    wanted = model.predict(batch)
    for group in _GROUPS:
        exported = Exported(content, group)
        engine = exported.model(model.spec, model.rows_at_once, threads=1)
        found = engine.predict(batch)
        if found.shape != wanted.shape or not np.allclose(found, wanted, rtol=TOLERANCE, atol=TOLERANCE):
            gap = f"by up to {np.max(np.abs(found - wanted)):.2g}" if found.shape == wanted.shape else "in shape"
            raise NotExported(f"its scores of {len(batch)} rows differ {gap}")
        if all(_is_scored_alike(engine, batch.take(slice(0, _TRIED_ROWS)), found, size) for size in _SIZES):
            return exported
    raise NotExported("a row's scores depend on the rows beside it")


def _is_scored_alike(engine: Model, batch: FeatureBatch, found: np.ndarray, size: int) -> bool:
    parts = [engine.predict(batch.take(slice(start, start + size))) for start in range(0, len(batch), size)]
    return np.array_equal(np.concatenate(parts), found[: len(batch)])
