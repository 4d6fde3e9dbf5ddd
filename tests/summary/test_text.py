import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.summary import TableSummary, as_numbers

ROWS = np.arange(8, dtype=np.uint64)


@given(texts=st.lists(st.none() | st.text(max_size=9), min_size=8, max_size=8))
@pytest.mark.parametrize("coded", [False, True], ids=["plain", "coded"])
def test_a_text_is_summarised_by_its_length(texts, coded):
    column = pa.array(texts, pa.string())
    summary = TableSummary({"t": "text"}, sample_size=20)
    summary.update(pa.table({"t": column.dictionary_encode() if coded else column}), ROWS)
    known, sizes = summary.columns["t"], [len(text) for text in texts if text is not None]
    assert (known.count, known.nulls, known.distinct) == (8, texts.count(None), len({*texts} - {None}))
    assert known.categories == {}
    np.testing.assert_array_equal(as_numbers(column), [np.nan if t is None else len(t) for t in texts])
    assert (known.min, known.max) == ((min(sizes), max(sizes)) if sizes else (None, None))
    assert sorted(summary.sample.column("t").drop_null().to_pylist()) == sorted(sizes)
    if sizes:
        assert summary.quantiles("t", [0.5])[0] == np.median(sizes)
