"""Categories: codes for embeddings and native categories, 0/1 columns, buckets, counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from distml.features.transforms import Transform
from distml.hashing import hash_column, mix

MISSING, UNKNOWN = 0, 1  # the codes before a vocabulary's own


class Vocabulary:
    """Categories by code: 0 missing, 1 unknown or rare, then the vocabulary in order."""

    def __init__(self, categories: tuple[str, ...]) -> None:
        import pyarrow as pa

        self.known = pa.array(categories, pa.string())

    def codes(self, column: Any) -> np.ndarray:
        """Codes of a pyarrow array of texts, int64 [n]; of a dictionary array each distinct text is looked up once."""
        import pyarrow as pa

        if pa.types.is_dictionary(column.type):
            by_word = np.append(self._codes(column.dictionary), MISSING)
            places = column.indices
            if places.null_count:
                places = places.cast(pa.int64()).fill_null(len(by_word) - 1)
            return by_word[places.to_numpy()]
        return self._codes(column)

    def _codes(self, column: Any) -> np.ndarray:
        import pyarrow as pa
        import pyarrow.compute as pc

        if column.type != pa.string():
            column = column.cast(pa.string())
        place = pc.index_in(column, value_set=self.known).fill_null(UNKNOWN - 2)
        codes = place.to_numpy(zero_copy_only=False).astype(np.int64)
        codes += 2
        if column.null_count:
            codes[column.is_null().to_numpy(zero_copy_only=False)] = MISSING
        return codes


@dataclass(frozen=True, kw_only=True)
class CodedTransform(Transform):
    """What begins with codes of known words."""

    @cached_property
    def code_by_word(self) -> Mapping[str | None, int]:
        """The code of each known word, and of None."""
        raise NotImplementedError

    unknown: ClassVar[int] = UNKNOWN

    def read_few(self, values: Sequence[Any]) -> np.ndarray:
        codes = self.code_by_word
        return np.array([codes.get(value, self.unknown) for value in values], np.int64)


@dataclass(frozen=True, kw_only=True)
class VocabularyTransform(CodedTransform):
    """What begins with a vocabulary's codes."""

    vocabulary: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "_words", Vocabulary(self.vocabulary))

    def read(self, column: Any) -> np.ndarray:
        return self._words.codes(column)  # type: ignore[attr-defined]

    @cached_property
    def code_by_word(self) -> Mapping[str | None, int]:
        return {None: MISSING, **{word: code for code, word in enumerate(self.vocabulary, start=2)}}


@dataclass(frozen=True, kw_only=True)
class CategoricalTransform(VocabularyTransform):
    """One categorical column as codes: 0 missing, 1 unknown or rare, then the vocabulary in order."""

    kind: ClassVar[str] = "codes"
    dtype: ClassVar[type] = np.int64

    @property
    def names(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def cardinality(self) -> int:
        """Codes in all, the two reserved ones included."""
        return len(self.vocabulary) + 2

    def write(self, values: np.ndarray, out: np.ndarray) -> None:
        out[:, 0] = values


@dataclass(frozen=True, kw_only=True)
class HashTransform(Transform):
    """One categorical column as codes: 0 missing, then the bucket of the value's hash, from 2. 1 is never used."""

    num_buckets: int
    kind: ClassVar[str] = "hash"
    dtype: ClassVar[type] = np.int64

    @property
    def names(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def cardinality(self) -> int:
        return self.num_buckets + 2

    def read(self, column: Any) -> np.ndarray:
        codes = 2 + (mix(hash_column(column)) % np.uint64(self.num_buckets)).astype(np.int64)
        if column.null_count:
            codes[column.is_null().to_numpy(zero_copy_only=False)] = MISSING
        return codes

    def write(self, values: np.ndarray, out: np.ndarray) -> None:
        out[:, 0] = values


@dataclass(frozen=True, kw_only=True)
class OneHotTransform(VocabularyTransform):
    """One categorical column as 0/1 columns: one for missing values and one for rare and unknown ones, where training
    rows had such, and one per category. A value without a column of its own is 0 in all of them."""

    has_missing: bool
    has_other: bool
    kind: ClassVar[str] = "onehot"

    def __post_init__(self) -> None:
        super().__post_init__()
        first = self.has_missing + self.has_other
        places = [0 if self.has_missing else -1, self.has_missing * 1 if self.has_other else -1]
        object.__setattr__(self, "_places", np.array([*places, *range(first, first + len(self.vocabulary))], np.int64))

    @property
    def names(self) -> tuple[str, ...]:
        reserved = [f"{self.column}=({word})" for word, is_there in
                    (("missing", self.has_missing), ("other", self.has_other)) if is_there]  # fmt: skip
        return (*reserved, *(f"{self.column}={value}" for value in self.vocabulary))

    def write(self, values: np.ndarray, out: np.ndarray) -> None:
        places = self._places[values]  # type: ignore[attr-defined]
        rows = np.flatnonzero(places >= 0)
        out[:] = 0
        out[rows, places[rows]] = 1


@dataclass(frozen=True, kw_only=True)
class TruthTransform(CodedTransform):
    """One boolean column as 0 and 1, and a 0/1 column of what was missing if `indicator`; missing values are 0."""

    indicator: bool = False
    kind: ClassVar[str] = "truth"

    @property
    def names(self) -> tuple[str, ...]:
        return (self.column, f"{self.column}_missing") if self.indicator else (self.column,)

    @cached_property
    def code_by_word(self) -> Mapping[str | None, int]:
        return {None: MISSING, "false": 2, "true": 3}

    def read(self, column: Any) -> np.ndarray:
        return Vocabulary(("false", "true")).codes(column)

    def write(self, values: np.ndarray, out: np.ndarray) -> None:
        out[:, 0] = values == 3
        if self.indicator:
            out[:, 1] = values == MISSING


@dataclass(frozen=True, kw_only=True)
class CountTransform(VocabularyTransform):
    """One categorical column as how many training rows had the value; 0 for rare and unknown ones.

    counts: of missing values, then of the vocabulary. With a `scale`, (log(1 + count) - center) / scale.
    """

    counts: tuple[int, ...]
    center: float = 0.0
    scale: float | None = None
    kind: ClassVar[str] = "count"

    def __post_init__(self) -> None:
        super().__post_init__()
        table = np.array([self.counts[0], 0, *self.counts[1:]], float)
        if self.scale is not None:
            table = (np.log1p(table) - self.center) / self.scale
        object.__setattr__(self, "_table", table.astype(np.float32))

    @property
    def names(self) -> tuple[str, ...]:
        return (f"{self.column}_count",)

    def write(self, values: np.ndarray, out: np.ndarray) -> None:
        out[:, 0] = self._table[values]  # type: ignore[attr-defined]
