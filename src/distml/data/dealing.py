"""The order that rows are dealt to splits in: a key and a stratum for each row, from its own content.

Whatever the kind of split, a `SplitPlan` is a few cuts of this key. A row's key follows from the row and a few settings
alone, so a row is dealt alike whatever the partitioning, in this table or a later one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from distml.clean import MAX_EXAMPLES, Finding
from distml.clean.findings import Taken
from distml.hashing import hash_column, mix

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
DealingKind = Literal["random", "stratified", "group", "time", "predefined"]
LAST = np.uint64(2**64 - 1)
_SIGN = np.uint64(2**63)
_KEY_OF: dict[Split, int] = {"test": 0, "validation": 1, "train": 2}
_RULES: dict[str, tuple[str, Taken, str]] = {
    "group": ("a row belongs to a group", "warn", "rows without one are each dealt on their own"),
    "time": ("a row has a time", "warn", "rows without one are training rows"),
    "predefined": (
        "a predefined split says of every row where it belongs", "fail",
        "name its values in split.values, there also the split of rows without one: missing",
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Strata:
    """Rows in groups that each get their share of every split: `codes` int32 [n] index `labels`."""

    codes: np.ndarray = field(default_factory=lambda: np.empty(0, np.int32))
    labels: tuple[str, ...] = ()

    @classmethod
    def concat(cls, parts: Sequence[Strata]) -> Strata:
        """The strata of several tables' rows, one after another."""
        labels = sorted({label for part in parts for label in part.labels})
        code = {label: i for i, label in enumerate(labels)}
        codes = [np.array([code[label] for label in part.labels], np.int32)[part.codes] for part in parts]
        return cls(codes=np.concatenate(codes) if codes else np.empty(0, np.int32), labels=tuple(labels))

    def take(self, chosen: np.ndarray) -> Strata:
        """The strata of some rows, by position."""
        return Strata(codes=self.codes[chosen], labels=self.labels)

    def members(self) -> Iterator[tuple[str, np.ndarray]]:
        """Each stratum that has rows, and their positions, ascending."""
        if len(self.labels) < 2:
            positions = [np.arange(len(self.codes))] * len(self.labels)
        else:  # in one pass, as there may be many; of 16 bits numpy sorts numbers in linear time
            kind = np.uint16 if len(self.labels) < 2**16 else np.int32
            order = np.argsort(self.codes.astype(kind), kind="stable")
            positions = np.split(order, np.cumsum(np.bincount(self.codes, minlength=len(self.labels)))[:-1])
        for label, found in zip(self.labels, positions, strict=True):
            if len(found):
                yield label, found


@dataclass(frozen=True, kw_only=True)
class Dealing:
    """How rows are put in order: by a hash of the row or of its group, by time backwards, or as a column says."""

    kind: DealingKind
    seed: int = 0
    column: str | None = None  # the stratum's, the group's, the time's or the split's own
    values: Mapping[str, Split] = field(default_factory=dict)  # of a predefined split's column
    missing: Split | None = None  # what rows without a value in it are for; None: they are refused

    @property
    def is_uniform(self) -> bool:
        """Whether keys are uniform over uint64, so that a cut is known nearly before any row is."""
        return self.kind in ("random", "stratified")

    def keys(self, table: Any, rows: np.ndarray) -> np.ndarray:
        """Each row's place in the order, uint64 [n]: test rows come first, then validation, then training rows.

        table: cleaned pyarrow table; rows: uint64 [n], its row hashes. Rows without what a split by time or column
        goes by are training rows; `findings` tells of them.
        """
        if self.kind in ("random", "stratified"):
            return self._shuffled(rows)
        assert self.column is not None
        column = table.column(self.column)
        missing = column.is_null().to_numpy()
        if self.kind == "time":
            return np.where(missing, LAST, backwards(column))
        if self.kind == "group":  # a row without a group is one of its own
            return self._shuffled(np.where(missing, rows, hash_column(column)))
        splits = (*self.values.values(), "train", self.missing or "train")
        return np.array([_KEY_OF[split] for split in splits], np.uint64)[self._value_codes(column)]

    def strata(self, table: Any) -> Strata:
        """The stratum of each row of a cleaned table."""
        if self.kind != "stratified":
            return Strata(codes=np.zeros(table.num_rows, np.int32), labels=("",))
        assert self.column is not None
        column = table.column(self.column).combine_chunks()
        coded = column if hasattr(column, "indices") else column.dictionary_encode()
        codes = coded.indices.to_numpy(zero_copy_only=False).astype(np.int32)
        return Strata(codes=codes, labels=tuple(coded.dictionary.to_pylist()))

    def findings(self, table: Any, numbers: np.ndarray, *, private: bool = False) -> list[Finding]:
        """What is wrong with what rows are dealt by.

        table: cleaned pyarrow table; numbers: int64 [n], its rows' numbers; private: whether values are to be hidden.
        """
        if self.kind not in _RULES:
            return []
        rule, action, remedy = _RULES[self.kind]
        column = table.column(self.column)
        if self.kind == "predefined":
            wrong = np.flatnonzero(self._value_codes(column) == len(self.values))
        else:
            wrong = np.flatnonzero(column.is_null().to_numpy())
        if not len(wrong):
            return []
        shown = column.take(wrong[:MAX_EXAMPLES]).to_pylist()
        values = ["(missing)" if value is None else "(private)" if private else repr(value) for value in shown]
        examples = tuple(zip(numbers[wrong[:MAX_EXAMPLES]].tolist(), values, strict=True))
        count = len(wrong)
        return [Finding(rule=rule, column=self.column, count=count, action=action, examples=examples, remedy=remedy)]

    def _shuffled(self, hashes: np.ndarray) -> np.ndarray:
        return mix(hashes ^ mix(np.array([self.seed], np.uint64))[0])

    def _value_codes(self, column: Any) -> np.ndarray:
        """Which of `values` each row of a predefined split's column has, int64 [n]; their number k where that is
        refused, k + 1 where nothing is said and may be."""
        import pyarrow as pa
        import pyarrow.compute as pc

        codes = pc.index_in(column.cast(pa.string()), value_set=pa.array(list(self.values), pa.string()))
        found = codes.cast(pa.int64()).fill_null(len(self.values)).to_numpy()
        return found if self.missing is None else np.where(column.is_null().to_numpy(), len(self.values) + 1, found)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "values": dict(self.values)}


def backwards(column: Any) -> np.ndarray:
    """Times as uint64 [n], the latest least."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_timestamp(column.type):
        stamps = pc.fill_null(pc.cast(pc.cast(column, pa.timestamp("us")), pa.int64()), 0).to_numpy()
        ordered = stamps.view(np.uint64) ^ _SIGN
    else:  # a number, such as a year: a float's bits are in its order, but those below 0 backwards
        bits = (pc.fill_null(pc.cast(column, pa.float64(), safe=False), 0.0).to_numpy() + 0.0).view(np.uint64)
        ordered = np.where(bits & _SIGN, ~bits, bits | _SIGN)
    return LAST - ordered
