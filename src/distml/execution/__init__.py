"""What a fitted model predicts with: torch, ONNX Runtime or LightGBM, as was measured when its package was made."""

from distml.execution.choice import Execution, Trial, choose
from distml.execution.export import Exported, NotExported, export
from distml.execution.load import Loaded, load_member
from distml.execution.onnx import ONNX, OnnxModel

__all__ = [
    "ONNX",
    "Execution",
    "Exported",
    "Loaded",
    "NotExported",
    "OnnxModel",
    "Trial",
    "choose",
    "export",
    "load_member",
]
