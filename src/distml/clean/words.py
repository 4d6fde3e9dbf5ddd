"""A column of texts as its distinct words and each row's code: what is done to a word is done to all its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from distml.arrays import words_and_codes
from distml.clean.convert import as_mask
from distml.clean.findings import Taken
from distml.clean.rules import Found


@dataclass(frozen=True)
class Words:
    """`dictionary` is a pyarrow array of distinct texts [k]; `codes` int64 [n], k where a row has none."""

    dictionary: Any
    codes: np.ndarray

    @classmethod
    def of(cls, values: Any) -> Words:
        """The words of a pyarrow array of texts or of a dictionary type."""
        return cls(*words_and_codes(values))

    def rows(self, mask: np.ndarray, *, missing: bool = False) -> np.ndarray:
        """A mask of words, bool [k], as one of rows, bool [n]; `missing` is what rows without a word get."""
        return np.append(mask, missing)[self.codes]

    def noting(self, found: Found) -> Found:
        """A `Found` for masks of words that notes their rows."""

        def note(rule: str, mask: Any, action: Taken, shown: Any, remedy: str | None = None) -> np.ndarray:
            mask = as_mask(mask)
            if mask.any():
                found(rule, self.rows(mask), action, _Shown(shown, self.codes), remedy)
            return mask

        return note

    def written(self, words: Any) -> Any:
        """The rows with other words in place of the dictionary's, [k]: alike ones become one, null ones missing."""
        import pyarrow as pa

        if words.null_count == 0 and words.equals(self.dictionary):
            codes, dictionary = self.codes, words
        else:
            again = words.dictionary_encode()
            places = again.indices.cast(pa.int64()).fill_null(len(again.dictionary)).to_numpy()
            codes, dictionary = np.append(places, len(again.dictionary))[self.codes], again.dictionary
        missing = codes == len(dictionary)
        indices = pa.array(codes.astype(np.int32), mask=missing if missing.any() else None)
        return pa.DictionaryArray.from_arrays(indices, dictionary)


@dataclass(frozen=True)
class _Shown:
    """Rows' texts, looked up one by one."""

    words: Any
    codes: np.ndarray

    def __getitem__(self, row: int) -> Any:
        return self.words[int(self.codes[row])]
