"""Open Inference tensors in JSON to columns of values, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from distml.schema import Column, Schema
from distml.serve.wire.problem import Problem

_WHOLE = {f"{sign}INT{bits}": (bits, sign) for bits in (8, 16, 32, 64) for sign in ("", "U")}
_FLOATS = ("FP16", "FP32", "FP64")
DATATYPES = ("BOOL", *_WHOLE, *_FLOATS, "BYTES")


def columns_of(tensors: Any, schema: Schema) -> tuple[dict[str, Sequence[Any]], int]:
    """The columns that tensors hold, one each, and their number of rows. Raises `Problem` 422 naming the tensor."""
    if not isinstance(tensors, list) or not all(isinstance(tensor, dict) for tensor in tensors):
        raise Problem(422, "invalid-body", "inputs are a list of tensors: objects with name, shape, datatype, data")
    columns: dict[str, Sequence[Any]] = {}
    for place, tensor in enumerate(tensors):
        name = tensor.get("name")
        if not isinstance(name, str):
            raise Problem(422, "invalid-tensor", f"inputs[{place}]: a tensor has a name", allowed="a text")
        if name in columns:
            raise _wrong(name, "each tensor is there once", "it twice", kind="repeated-column")
        columns[name] = _values(name, tensor, schema)
    lengths = {name: len(values) for name, values in columns.items()}
    num_rows = next(iter(lengths.values()), 0)
    for name, length in lengths.items():
        if length != num_rows:
            raise _wrong(name, f"all tensors have as many rows, {num_rows}", f"{length}", kind="invalid-column")
    return columns, num_rows


def _values(name: str, tensor: dict[str, Any], schema: Schema) -> Sequence[Any]:
    """The values of a tensor of shape [n] or [n, 1], or the images of one of shape [n, ch, h, w]."""
    shape, datatype, data = (tensor.get(key) for key in ("shape", "datatype", "data"))
    if datatype not in DATATYPES:
        raise _wrong(name, f"its datatype is one of {', '.join(DATATYPES)}", repr(datatype)[:60])
    if not isinstance(shape, list) or not shape or not all(type(size) is int and size >= 0 for size in shape):
        raise _wrong(name, "its shape is a list of whole numbers", repr(shape)[:60])
    if not isinstance(data, list):
        raise _wrong(name, "its data is a list in the JSON body", type(data).__name__)
    values = _flat(data, len(shape))
    if math.prod(shape) != len(values):
        raise _wrong(name, f"its data has the {math.prod(shape)} values of its shape", f"{len(values)}")
    _check_values(name, datatype, values)
    if len(shape) == 4 and name in schema and schema[name].kind == "image":
        return _images(name, shape, datatype, values)
    if len(shape) > 2 or shape[1:] not in ([], [1]):
        raise _wrong(name, f"its shape is {_shapes(name, schema)}", repr(shape)[:60])
    return values


def _flat(data: list[Any], num_dims: int) -> list[Any]:
    """Nested lists as one, as deep as the shape says."""
    for _ in range(num_dims - 1):
        if not data or not all(type(inner) is list for inner in data):
            break
        data = [value for inner in data for value in inner]
    return data


def _check_values(name: str, datatype: str, values: list[Any]) -> None:
    kinds = set(map(type, values)) - {type(None)}
    allowed, wanted = _ALLOWED.get(datatype, ({int}, "whole numbers"))
    if not kinds <= allowed:
        row = next(i for i, value in enumerate(values) if value is not None and type(value) not in allowed)
        told = type(values[row]).__name__
        raise _wrong(name, f"values of {datatype} are {wanted} or null", f"{told} at {row}")
    if datatype in _WHOLE:
        bits, sign = _WHOLE[datatype]
        low, high = (0, 2**bits) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1))
        if any(value is not None and not low <= value < high for value in values):
            raise _wrong(name, f"values of {datatype} are from {low} to {high - 1}", "one outside")


def _images(name: str, shape: list[int], datatype: str, values: list[Any]) -> list[Any]:
    """Pixels [n, ch, h, w] as the lists of pixels [h][w][ch] that an image column takes."""
    if datatype != "UINT8" or None in values:
        raise _wrong(name, "pixels are UINT8 without null", datatype)
    pixels = np.array(values, np.uint8).reshape(shape)
    return list(pixels.transpose(0, 2, 3, 1))


def _shapes(name: str, schema: Schema) -> str:
    is_image = name in schema and schema[name].kind == "image"
    return "[n], [n, 1] or [n, ch, h, w]" if is_image else "[n] or [n, 1]"


def _wrong(name: str, rule: str, received: str, kind: str = "invalid-tensor") -> Problem:
    shown = name if len(name) <= 60 else name[:57] + "..."
    detail = f"input {shown}: {rule}, received {received}"
    return Problem(422, kind, detail, column=shown, received=received, allowed=rule)


_ALLOWED: dict[str, tuple[set[type], str]] = {
    "BOOL": ({bool}, "truth values"),
    "BYTES": ({str}, "texts"),
    **dict.fromkeys(_FLOATS, ({int, float}, "numbers")),
}


def input_of(column: Column) -> dict[str, Any]:
    """What a tensor of a column is, as the model's metadata tells it; -1 stands for the number of rows."""
    if column.shape is not None:
        h, w, channels = column.shape
        return {"name": column.name, "datatype": "UINT8", "shape": [-1, channels, h, w]}
    datatype = {"numeric": "FP64", "boolean": "BOOL"}.get(column.kind, "BYTES")
    return {"name": column.name, "datatype": datatype, "shape": [-1]}
