"""A column that says of every row whether it is for training, validation or test."""

from __future__ import annotations

from typing import Any

from distml.arrays import whole
from distml.config.split import SplitValuesConfig
from distml.inspection.remark import Remark, counted, shown
from distml.schema import Schema

_MAX_VALUES = 12
_NAMES = frozenset(("split", "subset", "partition", "set", "dataset", "fold"))


def find_split(cleaned: Any, schema: Schema, *, has_test_table: bool) -> tuple[str | None, Remark | None]:
    """The column that deals a cleaned pyarrow table's rows, and what is to be said of it; or a column that seems to,
    but has values that aren't known, in the remark alone."""
    known = SplitValuesConfig().by_value
    for column in schema.features:
        if column.kind != "categorical" or column.dtype != "string":
            continue
        values = whole(cleaned.column(column.name))
        counts = {item["values"]: item["counts"] for item in values.value_counts().to_pylist()}
        if len(counts) > _MAX_VALUES or "train" not in {known.get(value) for value in counts}:
            continue
        dealt = {known[value] for value in counts if value in known}
        told = counted({"missing" if value is None else shown(value): n for value, n in counts.items()})
        if set(counts) <= set(known) and len(dealt) == 3 and not has_test_table:
            return column.name, Remark(column.name, f"says which rows are for what: {told}")
        if column.name.lower() in _NAMES and len(dealt) > 1:
            return None, Remark(
                column.name,
                f"may say which rows are for what: {told}; kept as a feature. A split needs rows for training, "
                "validation and test, and split.values names what stands for each",
                f"data: {{roles: {{split: {column.name}}}}}",
            )
    return None, None
