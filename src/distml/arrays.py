"""Columns of pyarrow as one array each, and texts as their distinct words and codes."""

from __future__ import annotations

from typing import Any

import numpy as np


def whole(column: Any) -> Any:
    """A pyarrow column as one array; an array is one already."""
    import pyarrow as pa

    if not isinstance(column, pa.ChunkedArray):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    return (column.unify_dictionaries() if pa.types.is_dictionary(column.type) else column).combine_chunks()


def is_text(kind: Any) -> bool:
    """Whether a pyarrow type holds texts as they are, not as codes or views."""
    import pyarrow as pa

    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def is_any_text(kind: Any) -> bool:
    """Whether a pyarrow type holds texts as they are or as views: how long they are together says nothing of them."""
    import pyarrow as pa

    return is_text(kind) or pa.types.is_string_view(kind)


def words_and_codes(texts: Any) -> tuple[Any, np.ndarray]:
    """Distinct texts of a pyarrow array of texts, plain or coded, [k], and each row's place among them, int64 [n].

    A missing text has the code k.

    >>> import pyarrow as pa
    >>> words, codes = words_and_codes(pa.array(["b", None, "a", "b"]))
    >>> words.to_pylist(), codes.tolist()
    (['b', 'a'], [0, 2, 1, 0])
    """
    import pyarrow as pa

    coded = texts if pa.types.is_dictionary(texts.type) else texts.dictionary_encode()
    words = coded.dictionary if coded.dictionary.type == pa.string() else coded.dictionary.cast(pa.string())
    codes = coded.indices.cast(pa.int64())
    return words, (codes.fill_null(len(words)) if codes.null_count else codes).to_numpy()
