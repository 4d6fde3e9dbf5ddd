"""Columns of pyarrow as one array, and texts as words and codes."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.arrays import whole, words_and_codes

TEXTS = st.lists(st.one_of(st.none(), st.sampled_from(["", "a", "b", "é"])))


@pytest.mark.parametrize("kind", [pa.int64(), pa.string(), pa.dictionary(pa.int32(), pa.string()), pa.null()])
@pytest.mark.parametrize("num_chunks", [0, 1, 2])
def test_a_column_is_one_array(kind, num_chunks):
    chunk = pa.nulls(2, kind)
    found = whole(pa.chunked_array([chunk] * num_chunks, kind))
    assert isinstance(found, pa.Array)
    assert (found.type, len(found)) == (kind, 2 * num_chunks)
    assert whole(found) is found


@given(st.lists(TEXTS, min_size=1))
def test_chunks_with_dictionaries_of_their_own_become_one(chunks):
    coded = pa.chunked_array([pa.array(texts, pa.string()).dictionary_encode() for texts in chunks])
    assert whole(coded).to_pylist() == [text for texts in chunks for text in texts]


@given(TEXTS, st.booleans(), st.sampled_from([pa.string(), pa.large_string()]))
def test_words_at_their_codes_are_the_texts(texts, coded, kind):
    column = pa.array(texts, kind)
    words, codes = words_and_codes(column.dictionary_encode() if coded else column)
    assert words.type == pa.string()
    assert len(set(words.to_pylist())) == len(words)
    assert [[*words.to_pylist(), None][code] for code in codes] == texts
