import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import TargetEncoder

from distml.features import TargetTransform
from distml.features.target_encoding import fit_target_encoding
from distml.hashing import mix
from distml.metrics import METRICS
from distml.target_counts import TargetCounts, folds_of

LABELS = {"binary": ["no", "yes"], "multiclass": ["x", "y", "z"], "regression": None}
every_task = pytest.mark.parametrize("task", LABELS)


def targets(values, task: str) -> pa.Array:
    """Whole numbers as targets of a task."""
    labels = LABELS[task]
    if labels is None:
        return pa.array(np.asarray(values, float))
    return pa.array([labels[value % len(labels)] for value in values], pa.string())


def fitted(
    words, values, task="regression", rows=None, vocabulary=("a", "b"), num_folds=3, smoothing=2.0, scaled=False
) -> TargetTransform:
    rows = hashes(len(words)) if rows is None else rows
    counts = TargetCounts(num_folds)
    counts.update(pa.array(words, pa.string()), targets(values, task), folds_of(rows, num_folds, seed=7))
    return fit_target_encoding("c", vocabulary, counts, LABELS[task], smoothing=smoothing, seed=7, scaled=scaled)


def hashes(n: int) -> np.ndarray:
    return mix(np.arange(n, dtype=np.uint64))


def out_of_fold(transform: TargetTransform, words, rows) -> np.ndarray:
    values = transform.out_of_their_folds(transform.read(pa.array(words, pa.string())), rows)
    out = np.empty((len(words), transform.width), np.float32)
    transform.write(values, out)
    return out


def test_the_m_estimate():
    """(n mean + m prior) / (n + m): of 3 rows of `a` with mean 4, 2 of `b` with 1, one missing with 2; prior 16 / 6."""
    transform = fitted(["a", "a", "a", "b", "b", None], [3, 4, 5, 1, 1, 2])
    prior = 16 / 6
    wanted = [(12 + 2 * prior) / 5, (2 + 2 * prior) / 4, (2 + 2 * prior) / 3, prior]
    np.testing.assert_allclose(transform.transform(pa.array(["a", "b", None, "new"]))[:, 0], wanted, rtol=1e-6)


def test_rare_and_unknown_categories_are_one():
    transform = fitted(["a", "a", "x", "y"], [0, 0, 6, 4], vocabulary=("a",))
    found = transform.transform(pa.array(["x", "y", "new"]))[:, 0]
    np.testing.assert_allclose(found, (10 + 2 * 2.5) / 4)


@every_task
def test_encodings_are_scikit_learns(task):
    rng = np.random.default_rng(0)
    words, values = rng.choice(["a", "b", "c"], 300), rng.integers(0, 7, 300)
    transform = fitted(words, values, task, vocabulary=("c", "a", "b"), smoothing=5.0)
    target = np.array(targets(values, task).to_pylist())
    kind = {"regression": "continuous"}.get(task, task)
    peer = TargetEncoder(smooth=5.0, target_type=kind).fit(words[:, None], target)
    wanted = peer.transform(np.array([["a"], ["b"], ["c"]]))
    np.testing.assert_allclose(transform.transform(pa.array(["a", "b", "c"])), wanted, rtol=1e-6)


@every_task
@given(
    words=st.lists(st.sampled_from(["a", "b", "x", None]), min_size=1, max_size=20),
    values=st.lists(st.integers(0, 9), min_size=20, max_size=20),
    at=st.integers(0, 19),
    other=st.integers(0, 9),
)
def test_a_rows_encoding_never_depends_on_its_own_target(words, values, at, other, task):
    at %= len(words)
    values = values[: len(words)]
    changed = [*values[:at], other, *values[at + 1 :]]
    rows = hashes(len(words))
    before, after = (out_of_fold(fitted(words, v, task), words, rows)[at] for v in (values, changed))
    assert before.tobytes() == after.tobytes()


@every_task
def test_out_of_fold_is_what_the_other_folds_alone_give(task):
    rng = np.random.default_rng(1)
    words, values = rng.choice(["a", "b", "x"], 90), rng.integers(0, 5, 90)
    rows = hashes(90)
    folds = folds_of(rows, 3, seed=7)
    found = out_of_fold(fitted(words, values, task), words, rows)
    for fold in range(3):
        rest = fitted(words[folds != fold], values[folds != fold], task, rows[folds != fold])
        wanted = rest.transform(pa.array(words[folds == fold]))
        np.testing.assert_allclose(found[folds == fold], wanted, rtol=1e-6)


@given(seed=st.integers(0, 5))
def test_the_order_of_rows_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    words, values, rows = rng.choice(["a", "b", "x"], 40), rng.integers(0, 5, 40), hashes(40)
    order = rng.permutation(40)
    assert fitted(words, values, rows=rows) == fitted(words[order], values[order], rows=rows[order])


@every_task
def test_one_column_per_class_but_one_for_two(task):
    transform = fitted(["a", "b", "a"], [0, 1, 2], task)
    names = {
        "binary": ("c_target",),
        "regression": ("c_target",),
        "multiclass": ("c_target=x", "c_target=y", "c_target=z"),
    }
    assert transform.names == names[task]
    shares = transform.transform(pa.array(["a", None, "new"]))
    assert shares.shape == (3, len(names[task])) == (3, transform.width)
    if task == "multiclass":
        np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)


def test_scaled_over_the_training_rows():
    rng = np.random.default_rng(2)
    words = rng.choice(["a", "b", "x", "y"], 200).tolist()
    transform = fitted(words, rng.integers(0, 9, 200), scaled=True)
    found = transform.transform(pa.array(words))
    assert (found.mean(), found.std()) == pytest.approx((0, 1), abs=1e-5)


def test_a_single_row_knows_nothing():
    transform = fitted(["a"], [1], "binary")
    assert out_of_fold(transform, ["a"], hashes(1)).tolist() == [[0.5]]


@every_task
def test_round_trips_through_json(task):
    transform = fitted(["a", "b", "x", None], [0, 1, 2, 3], task, scaled=True)
    copy = TargetTransform.from_dict(orjson.loads(orjson.dumps(transform.to_dict())))
    words = ["a", "b", None, "new"]
    assert copy == transform
    assert out_of_fold(copy, words, hashes(4)).tobytes() == out_of_fold(transform, words, hashes(4)).tobytes()


@pytest.mark.parametrize("smoothing", [0.0, 1.0, 10.0])
def test_a_random_category_of_many_values_teaches_nothing(smoothing):
    """With encodings of all rows a model would think that it knew each; out of fold it is no better than chance."""
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(3)
    n = 4000
    words = np.array([f"w{i}" for i in rng.integers(0, 1000, 2 * n)])
    values = rng.integers(0, 2, 2 * n)
    vocabulary = tuple(f"w{i}" for i in range(1000))
    transform = fitted(words[:n], values[:n], "binary", vocabulary=vocabulary, num_folds=5, smoothing=smoothing)
    training = out_of_fold(transform, words[:n], hashes(n))
    held_out = transform.transform(pa.array(words[n:]))
    naive = transform.transform(pa.array(words[:n]))
    auc = METRICS["roc_auc"]
    assert auc(values[:n], np.c_[1 - naive, naive]) > 0.7
    model = LogisticRegression().fit(training, values[:n])
    assert abs(auc(values[n:], model.predict_proba(held_out)) - 0.5) < 0.03
    assert auc(values[:n], model.predict_proba(training)) < 0.56
