"""Rows that stand twice: exact copies, a key given twice, source rows that the test table has. From hashes alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from distml.config.run import RunConfig
from distml.data.identity import repeated
from distml.hashing import hash_column
from distml.inspection import signs
from distml.inspection.suspect import Suspect
from distml.inspection.view import View

_ALMOST_ALL = 0.99  # of a column's values that differ, where it is named like an identifier
_MANY_ROWS = 100


def keys_of(config: RunConfig) -> tuple[tuple[str, ...], ...]:
    """Columns that together name a row: each of `data.roles.id`, and those of `validate.unique`."""
    keys = [*((name,) for name in config.data.roles.id), *config.validation.unique]
    return tuple(dict.fromkeys(keys))


def suspect_rows(view: View, config: RunConfig) -> Iterator[Suspect]:
    is_source = view.name == "source"
    copies = repeated(view.rows.whole)
    if len(copies):
        yield Suspect(
            kind="duplicate", rule="no exact duplicate rows" + ("" if is_source else " in the test table"), column=None,
            level="medium", told="repeat an earlier row in every column",
            action=config.clean.duplicates if is_source else "keep",
            remedy="clean: {duplicates: keep}, where equal rows are separate cases" if is_source else None,
            rows=view.rows.place[copies],
        )  # fmt: skip
    # A copy that is dropped gives its key to no second row.
    gone = view.rows.place[copies] if is_source and config.clean.duplicates == "drop" else view.rows.place[:0]
    declared = keys_of(config)
    for key, hashes in zip(declared, view.rows.keys, strict=True):
        found = np.setdiff1d(view.rows.place[repeated(hashes)], gone)
        if len(found):
            place = "data.roles.id" if len(key) == 1 and key[0] in config.data.roles.id else "validate.unique"
            remedy = f"correct the table; a key that may repeat is none: take it off {place}"
            yield _key(key, found, "is given to an earlier row too", remedy)
    yield from _likely_keys(view, [key[0] for key in declared if len(key) == 1], gone)


def _key(key: tuple[str, ...], rows: np.ndarray, told: str, remedy: str) -> Suspect:
    return Suspect(
        kind="duplicate_key", rule=f"{' with '.join(key)} names one row", column=key[0] if len(key) == 1 else None,
        level="high", told=told, remedy=remedy, rows=rows,
    )  # fmt: skip


def _likely_keys(view: View, known: Sequence[str], gone: np.ndarray) -> Iterator[Suspect]:
    """Keys that nobody declared: named like one, and nearly never given twice; rows in `gone` are dropped copies."""
    import pyarrow.compute as pc

    for column in view.features:
        is_key = signs.is_named_id(column.name) and column.dtype in ("integer", "string") and column.name not in known
        if not is_key or not view.is_whole or view.num_rows < _MANY_ROWS:
            continue
        values = view.values(column.name)
        distinct = pc.count_distinct(values, mode="only_valid").as_py()
        present = len(values) - values.null_count
        if _ALMOST_ALL * present <= distinct < present:
            hashes = hash_column(values)
            hashes[values.is_null().to_numpy(zero_copy_only=False)] = np.arange(values.null_count, dtype=np.uint64)
            found = np.setdiff1d(view.sample_rows[repeated(hashes)], gone)
            if len(found):
                told = "comes twice in a column that hardly repeats"
                yield _key((column.name,), found, told, "correct the table, if the column names rows")


def suspect_overlap(source: View, test: View, config: RunConfig) -> Iterator[Suspect]:
    shared = np.isin(source.rows.inputs, test.rows.inputs)
    if shared.any():
        action = config.validation.overlap
        yield Suspect(
            kind="overlap", rule="no source row equals a test row", column=None, action=action,
            level="fail" if action == "fail" else "medium" if action == "drop" else "high",
            told="have the features and the target of a test row",
            remedy="remove them, or set validate: {overlap: drop}",
            rows=source.rows.place[shared],
        )  # fmt: skip
