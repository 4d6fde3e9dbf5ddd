"""`FeaturePipeline`: the one path from a raw table to a `FeatureBatch`, the same in preparation and serving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from distml.arrays import whole
from distml.batch import FeatureBatch, InputSpec
from distml.clean import Cleaned, RowCleaner
from distml.features.categories import (
    CategoricalTransform,
    CountTransform,
    HashTransform,
    OneHotTransform,
    TruthTransform,
)
from distml.features.dates import CalendarTransform
from distml.features.image import ImageTransform
from distml.features.numeric import NumericTransform
from distml.features.target_encoding import TargetTransform
from distml.features.text import TextTransform
from distml.features.transforms import Transform
from distml.target import Target

_BLOCK = 1 << 14  # rows whose features stay in a core's cache until all columns have been written
_KINDS: dict[str, type[Transform]] = {
    kind.kind: kind
    for kind in (
        NumericTransform, CalendarTransform, CategoricalTransform, HashTransform, OneHotTransform, TruthTransform,
        CountTransform, TargetTransform, TextTransform,
    )
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class FeaturePipeline:
    """Row-wise cleaning, then encoding. Fitted state only, all of it JSON.

    numeric: what writes columns of numbers, in their order; categorical: what writes one column of codes each; tensors:
    what makes one tensor per row each.
    """

    recipe: str
    cleaner: RowCleaner
    numeric: tuple[Transform, ...]
    categorical: tuple[Transform, ...]
    tensors: tuple[ImageTransform, ...] = ()

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the numeric columns and then of the categorical ones, as a batch has them."""
        return tuple(name for t in (*self.numeric, *self.categorical) for name in t.names)

    def transform(self, table: Any) -> FeatureBatch:
        """A raw pyarrow table's features; a row that cleaning can't keep raises `DataError`."""
        cleaned = self.clean(table)
        cleaned.raise_failures("the table")
        return self.encode(cleaned.table)

    def clean(self, table: Any) -> Cleaned:
        """The feature columns of a raw table, cleaned; rows that can't be kept are left out and found."""
        return self.cleaner.apply(table, roles=("feature",))

    def encode(
        self,
        cleaned: Any,
        *,
        target: Target | None = None,
        weight: bool = False,
        rows: np.ndarray | None = None,
        is_training: bool = False,
    ) -> FeatureBatch:
        """A cleaned pyarrow table as a batch [n]; with `target` and `weight` it carries those columns too.

        `is_training`: these are the rows that the pipeline was fitted on, so what was fitted on the target leaves out
        each row's fold, which its hash in `rows`, uint64 [n], tells.
        """
        training_rows = rows if is_training else None
        assert not is_training or rows is not None, "training rows are told by their hashes"
        schema = self.cleaner.schema
        weights = schema.of_role("weight") if weight else ()
        return FeatureBatch(
            numeric=_written(self.numeric, cleaned, self._width, np.float32, training_rows),
            categorical=_written(self.categorical, cleaned, len(self.categorical), np.int64, None),
            tensors={t.column: t.transform(whole(cleaned.column(t.column))) for t in self.tensors},
            target=None if target is None else target.encode(whole(cleaned.column(schema.target.name))),
            weight=whole(cleaned.column(weights[0].name)).to_numpy(zero_copy_only=False).astype(np.float32)
            if weights
            else None,
            rows=rows,
        )

    def input_spec(self, num_outputs: int) -> InputSpec:
        return InputSpec(
            num_numeric=self._width,
            cardinalities=tuple(t.cardinality for t in self.categorical),  # type: ignore[attr-defined]
            num_outputs=num_outputs,
            tensors={t.column: t.spec for t in self.tensors},
        )

    @cached_property
    def _width(self) -> int:
        return sum(t.width for t in self.numeric)

    def to_dict(self) -> dict[str, Any]:
        return {
            "recipe": self.recipe,
            "cleaner": self.cleaner.to_dict(),
            "numeric": [t.to_dict() for t in self.numeric],
            "categorical": [t.to_dict() for t in self.categorical],
            "tensors": [t.to_dict() for t in self.tensors],
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> FeaturePipeline:
        return cls(
            recipe=value["recipe"],
            cleaner=RowCleaner.from_dict(value["cleaner"]),
            numeric=tuple(_KINDS[item["kind"]].from_dict(item) for item in value["numeric"]),
            categorical=tuple(_KINDS[item["kind"]].from_dict(item) for item in value["categorical"]),
            tensors=tuple(ImageTransform.from_dict(item) for item in value.get("tensors", ())),
        )


def _written(
    transforms: Sequence[Transform], cleaned: Any, width: int, dtype: type, training_rows: np.ndarray | None
) -> np.ndarray:
    """What transforms write of a cleaned table, [n, width]."""
    values = [_read(t, cleaned, training_rows) for t in transforms]
    return _filled(transforms, values, cleaned.num_rows, width, dtype)


def _filled(transforms: Sequence[Transform], values: Sequence[Any], n: int, width: int, dtype: type) -> np.ndarray:
    """What transforms write of n rows of values, [n, width]; block by block, because a column's numbers lie apart."""
    out: np.ndarray = np.empty((n, width), dtype)
    columns = [(t.width, t, read) for t, read in zip(transforms, values, strict=True)]
    for start in range(0, n, _BLOCK):
        stop, at = min(start + _BLOCK, n), 0
        for wide, transform, read in columns:
            transform.write(read[start:stop], out[start:stop, at : at + wide])
            at += wide
    return out


def _read(transform: Transform, cleaned: Any, training_rows: np.ndarray | None) -> Any:
    values = transform.read(whole(cleaned.column(transform.column)))
    if training_rows is not None and isinstance(transform, TargetTransform):
        return transform.out_of_their_folds(values, training_rows)
    return values
