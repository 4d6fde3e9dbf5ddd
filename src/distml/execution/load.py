"""From a package member's folder to what predicts with it here, on the engine that was chosen where there is one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distml.errors import PackageError, UsageError
from distml.execution.choice import Execution, own_engine
from distml.execution.onnx import ONNX, OnnxModel, is_installed
from distml.models import Model, ModelSpec, load_model


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A member's model. engine: what predicts with it; note: why that isn't the one chosen, where it isn't."""

    model: Model
    engine: str
    note: str | None = None


def load_member(folder: Path, execution: Execution | None, device: str = "cpu") -> Loaded:
    """The model in a member's folder, by the engine that an execution names; as it was fitted where that is None.

    device: where torch computes. On a GPU every network is torch's; trees and ONNX Runtime compute on CPUs. Raises
    `UsageError` for a device that isn't here, `PackageError` as `load_model`.
    """
    require_device(device)
    if execution is None or execution.engine != "onnx" or device != "cpu":
        return _as_fitted(folder, device)
    if is_installed():
        return Loaded(model=_exported(folder, execution), engine="onnx")
    note = "predicted by torch instead of ONNX Runtime, which was measured to be faster, because onnxruntime is not "
    return _as_fitted(folder, device, note + "installed here; pip install 'distml[onnx]'")


def _exported(folder: Path, execution: Execution) -> OnnxModel:
    if execution.group is None or execution.rows_at_once is None or not (folder / ONNX).is_file():
        raise PackageError(
            "a member that ONNX Runtime predicts has its file and says how rows are given to it",
            received=str(execution.to_dict()), where=f"{folder}/{ONNX}",
            remedy="fetch the package again, or pack the model again",
        )  # fmt: skip
    spec = ModelSpec.from_dict(json.loads((folder / "model.json").read_text("utf-8")))
    content = (folder / ONNX).read_bytes()
    return OnnxModel(spec, content, group=execution.group, rows_at_once=execution.rows_at_once)


def require_device(device: str) -> None:
    """Raises `UsageError` for a device that torch doesn't have here."""
    if device == "cpu":
        return
    import torch

    if device.partition(":")[0] != "cuda" or not torch.cuda.is_available():
        raise UsageError(
            "a package is loaded onto cpu, or onto cuda where torch sees a GPU",
            received=device, where="device", remedy="use cpu, or give the replica a GPU",
        )  # fmt: skip


def _as_fitted(folder: Path, device: str, note: str | None = None) -> Loaded:
    model: Any = load_model(folder)
    engine = own_engine(model.spec.family)
    if engine == "torch" and device != "cpu":
        import torch

        torch.backends.cudnn.allow_tf32 = False  # convolutions of ten bits wouldn't reproduce the golden rows
        model = model.on(device)
    return Loaded(model=model, engine=engine, note=note)
