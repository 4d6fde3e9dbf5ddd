"""`FeaturePipeline`: the one path from a raw table to a `FeatureBatch`, the same in preparation and serving."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from distml.batch import FeatureBatch, InputSpec
from distml.clean import Cleaned, RowCleaner
from distml.features.transforms import (
    CategoricalTransform,
    NumericTransform,
    QuantileScale,
    Scaling,
    StandardScale,
)
from distml.target import Target


@dataclass(frozen=True, kw_only=True)
class FeaturePipeline:
    """Row-wise cleaning, then encoding. Fitted state only, all of it JSON."""

    recipe: str
    cleaner: RowCleaner
    numeric: tuple[NumericTransform, ...]
    categorical: tuple[CategoricalTransform, ...]

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
    ) -> FeatureBatch:
        """A cleaned pyarrow table as a batch [n]; with `target` and `weight` it carries those columns too."""
        numbers = [part for t in self.numeric for part in t.transform(_one(cleaned, t.column))]
        codes = [t.transform(_one(cleaned, t.column)) for t in self.categorical]
        n = cleaned.num_rows
        schema = self.cleaner.schema
        weights = schema.of_role("weight") if weight else ()
        return FeatureBatch(
            numeric=_as_float32(numbers) if numbers else np.empty((n, 0), np.float32),
            categorical=np.column_stack(codes) if codes else np.empty((n, 0), np.int64),
            target=None if target is None else target.encode(_one(cleaned, schema.target.name)),
            weight=_one(cleaned, weights[0].name).to_numpy(zero_copy_only=False).astype(np.float32)
            if weights
            else None,
            rows=rows,
        )

    def input_spec(self, num_outputs: int) -> InputSpec:
        return InputSpec(
            num_numeric=sum(t.width for t in self.numeric),
            cardinalities=tuple(t.cardinality for t in self.categorical),
            num_outputs=num_outputs,
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "recipe": self.recipe,
            "cleaner": self.cleaner.to_dict(),
            "numeric": [asdict(t) for t in self.numeric],
            "categorical": [{"column": t.column, "vocabulary": list(t.vocabulary)} for t in self.categorical],
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> FeaturePipeline:
        return cls(
            recipe=value["recipe"],
            cleaner=RowCleaner.from_dict(value["cleaner"]),
            numeric=tuple(
                NumericTransform(**{**item, "scaling": _scaling(item["scaling"])}) for item in value["numeric"]
            ),
            categorical=tuple(
                CategoricalTransform(column=item["column"], vocabulary=tuple(item["vocabulary"]))
                for item in value["categorical"]
            ),
        )


def _as_float32(numbers: list[np.ndarray]) -> np.ndarray:
    """Columns [n] as float32 [n, f]; what lies beyond its range becomes its end, not infinity."""
    limit = np.finfo(np.float32).max
    return np.clip(np.column_stack(numbers), -limit, limit).astype(np.float32)


def _one(table: Any, name: str) -> Any:
    column = table.column(name)
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _scaling(value: dict[str, Any] | None) -> Scaling:
    if value is None:
        return None
    if value["kind"] == "standard":
        return StandardScale(**value)
    return QuantileScale(values=tuple(value["values"]), ranks=tuple(value["ranks"]))
