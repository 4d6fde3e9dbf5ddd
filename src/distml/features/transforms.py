"""What every transform is: fitted state as a frozen value that turns one column into numbers or codes.

`read` takes a whole column to what `write` understands, `write` a block of that to the model's own numbers. Both are
elementwise, so any block of rows, and one row, comes out as it would among others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

LIMIT = float(np.finfo(np.float32).max)


@dataclass(frozen=True, kw_only=True)
class Transform:
    """One column's part of the model input: columns of float32, or of int64 where it is a code."""

    column: str
    kind: ClassVar[str]
    dtype: ClassVar[type] = np.float32

    @property
    def names(self) -> tuple[str, ...]:
        """What its columns are called."""
        raise NotImplementedError

    @property
    def width(self) -> int:
        return len(self.names)

    def read(self, column: Any) -> Any:
        """A pyarrow array as an array [n] that can be sliced by rows."""
        raise NotImplementedError

    def read_few(self, values: Sequence[Any]) -> Any:
        """Cleaned values, one after another, as `read` would give them for a column of them."""
        import pyarrow as pa

        return self.read(values if isinstance(values, pa.Array) else pa.array(values, pa.string()))

    def write(self, values: Any, out: np.ndarray) -> None:
        """Fills `out` [n, width] from rows of what `read` gave."""
        raise NotImplementedError

    def transform(self, column: Any) -> np.ndarray:
        """A pyarrow array as an array [n, width]."""
        out: np.ndarray = np.empty((len(column), self.width), self.dtype)
        self.write(self.read(column), out)
        return out

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, **self._fields()}

    def _fields(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Any:
        return cls(**{key: frozen(item) for key, item in value.items() if key != "kind"})

    def __reduce__(self) -> tuple[Any, ...]:  # without the arrays that are kept beside the fields
        return _made, (type(self), self._fields())


def _made(kind: type, values: dict[str, Any]) -> Any:
    return kind(**values)


def frozen(value: Any) -> Any:
    """JSON's lists as tuples, at any depth.

    >>> frozen([1, [2, 3]])
    (1, (2, 3))
    """
    return tuple(map(frozen, value)) if isinstance(value, list) else value


def within_float32(values: np.ndarray) -> np.ndarray:
    """What lies beyond the range of float32 as its end, not infinity."""
    return np.clip(values, -LIMIT, LIMIT)


def share_names(name: str, edges: tuple[float, ...]) -> tuple[str, ...]:
    """Names of the bins between edges.

    >>> share_names("age", (17.0, 28.5, 90.0))
    ('age[17..28.5]', 'age[28.5..90]')
    """
    return tuple(f"{name}[{low:g}..{high:g}]" for low, high in pairwise(edges))
