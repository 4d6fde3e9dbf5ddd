import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax as by_scipy

from distml.softmax import softmax

LOGITS = arrays(np.float32, st.tuples(st.integers(1, 40), st.integers(1, 5)), elements=st.floats(-80, 80, width=32))


@given(LOGITS)
def test_it_is_scipys(logits):
    np.testing.assert_allclose(softmax(logits), by_scipy(logits.astype(float), axis=-1), rtol=1e-14)


@given(LOGITS, st.integers(1, 7))
def test_a_row_comes_out_alike_whatever_rows_are_beside_it(logits, size):
    parts = [softmax(logits[start : start + size]) for start in range(0, len(logits), size)]
    assert np.concatenate(parts).tobytes() == softmax(logits).tobytes()


def test_what_is_given_is_left_alone():
    logits = np.array([[1.0, 2.0]])
    softmax(logits)
    assert logits.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("shape", [(0, 3), (2, 4, 3)])
def test_it_is_over_the_last_axis(shape):
    assert softmax(np.ones(shape)).tolist() == np.full(shape, 1 / 3).tolist()
