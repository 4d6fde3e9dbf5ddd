import numpy as np
import pyarrow as pa
import pytest

from distml.config.features import FeaturesConfig
from distml.errors import DataError
from distml.features import FittedFeatures, fit_features
from distml.scaling import LinearScale, QuantileScale
from tables import cleaner_of, pipeline_of, summary_of


def fitted(recipe="dense", features=None, sample_size=1000, **columns) -> FittedFeatures:
    n = len(next(iter(columns.values())))
    table = pa.table({**columns, "y": pa.array([str(i % 2) for i in range(n)])})
    cleaner = cleaner_of(table)
    summary = summary_of(cleaner, table, sample_size)
    return fit_features(recipe, cleaner, summary, FeaturesConfig.model_validate(features or {}))


def numeric(features=None, recipe="dense", values=(1.0, 2.0, 6.0, None)):
    (transform,) = fitted(recipe, features, x=pa.array(values, pa.float64())).pipeline.numeric
    return transform


def vocabulary(values, **features) -> tuple[str, ...]:
    (transform,) = fitted(features={"categorical": features}, x=pa.array(values)).pipeline.categorical
    return transform.vocabulary


@pytest.mark.parametrize(("impute", "fill"), [("median", 2.0), ("mean", 3.0)])
def test_missing_numbers_are_imputed(impute, fill):
    assert numeric({"numeric": {"impute": impute}}).fill == fill


def test_a_column_without_gaps_can_still_be_filled():
    transform = numeric(values=(1.0, 2.0, 6.0))
    assert (transform.fill, transform.indicator) == (2.0, False)


@pytest.mark.parametrize(
    ("wanted", "values", "indicator"),
    [(True, (1.0, 2.0, None), True), (False, (1.0, 2.0, None), False), (True, (1.0, 2.0), False)],
)
def test_an_indicator_marks_gaps_that_training_had(wanted, values, indicator):
    assert numeric({"numeric": {"indicator": wanted}}, values=values).indicator is indicator


@pytest.mark.parametrize(
    ("scale", "kind"), [("quantile", QuantileScale), ("standard", LinearScale), ("none", type(None))]
)
def test_scaling_is_as_configured(scale, kind):
    assert isinstance(numeric({"numeric": {"scale": scale}}).scaling, kind)


def test_standard_scale_is_of_all_rows():
    scaling = numeric({"numeric": {"scale": "standard"}}).scaling
    assert (scaling.center, scaling.scale) == pytest.approx((3.0, np.sqrt(14 / 3)))


@pytest.mark.parametrize("scale", ["standard", "quantile"])
def test_one_value_and_gaps_are_not_scaled(scale):
    transform = numeric({"numeric": {"scale": scale}}, values=(0.1, 0.1, 0.1, None))
    assert (transform.scaling, transform.fill, transform.indicator) == (None, pytest.approx(0.1), True)


def test_a_column_may_be_an_exception():
    transform = numeric({"columns": {"x": {"impute": "mean", "scale": "none"}}})
    assert (transform.fill, transform.scaling) == (3.0, None)


@pytest.mark.parametrize(
    ("name", "remedy"), [("xx", "did you mean 'x'?"), ("zzz", "features: x"), ("y", "features: x")]
)
def test_an_exception_for_what_is_no_feature_is_refused(name, remedy):
    with pytest.raises(DataError, match=r"features\.columns names a feature") as caught:
        fitted("trees", {"columns": {name: {"scale": "none"}}}, x=pa.array([1.0, 2.0]))
    assert (caught.value.received, caught.value.remedy) == (name, remedy)


def test_trees_take_numbers_as_they_are():
    transform = numeric(recipe="trees")
    assert (transform.fill, transform.scaling, transform.indicator) == (None, None, False)


@pytest.mark.parametrize(
    ("features", "wanted"),
    [
        ({}, ("a", "b", "c")),
        ({"min_count": 5}, ("a", "b", "c")),
        ({"min_count": 6}, ("a",)),
        ({"min_count": 1}, ("a", "b", "c", "d")),
        ({"min_count": 1, "max_categories": 2}, ("a", "b")),
        ({"min_count": 100}, ()),
    ],
)
def test_categories_are_kept_by_frequency_then_text(features, wanted):
    assert vocabulary(["c"] * 5 + ["a"] * 6 + ["b"] * 5 + ["d"] * 4, **features) == wanted


def test_min_count_may_be_an_exception():
    config = {"columns": {"x": {"min_count": 1}}}
    (transform,) = fitted(features=config, x=pa.array(["a", "b"])).pipeline.categorical
    assert transform.vocabulary == ("a", "b")


def test_rare_categories_are_a_finding():
    (finding,) = fitted(x=pa.array(["a"] * 5 + ["b"] * 2 + ["c"])).findings
    assert (finding.rule, finding.column, finding.count, finding.action) == (
        "a category has at least 5 training rows", "x", 3, "replace",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("values", "is_kept"),
    [
        (pa.array([1.0, 1.0]), False),
        (pa.array([0.1, 0.1]), False),
        (pa.array(["a", "a"]), False),
        (pa.array([None, None], pa.float64()), False),
        (pa.array([None, None], pa.string()), False),
        (pa.array([True, True]), False),
        (pa.array([1.0, None]), True),
        (pa.array(["a", None]), True),
        (pa.array([1.0, 2.0]), True),
    ],
)
@pytest.mark.parametrize("recipe", ["dense", "trees"])
def test_a_feature_that_tells_no_rows_apart_is_left_out(recipe, values, is_kept):
    result = fitted(recipe, {"categorical": {"min_count": 1}}, x=values)
    columns = [t.column for t in (*result.pipeline.numeric, *result.pipeline.categorical)]
    assert columns == (["x"] if is_kept else [])
    rules = [(f.rule, f.column, f.action) for f in result.findings]
    assert rules == ([] if is_kept else [("a feature takes at least two values in the training rows", "x", "ignore")])


def test_too_many_categories_are_all_unknown():
    words = pa.array([f"w{i}" for i in range(100_001)])
    result = fitted(x=words)
    (transform,) = result.pipeline.categorical
    (finding,) = result.findings
    assert transform.vocabulary == ()
    assert (finding.column, finding.action) == ("x", "ignore")
    assert "100,000" in finding.rule


def test_only_features_are_fitted():
    table = pa.table({"key": ["a", "b"], "when": [1, 2], "w": [1.0, 2.0], "x": [1.0, 2.0], "y": ["0", "1"]})
    pipeline = pipeline_of("dense", table, roles={"id": "key", "time": "when", "weight": "w"})
    assert [t.column for t in pipeline.numeric] == ["x"]
    assert pipeline.categorical == ()


def test_fitting_depends_on_the_summary_alone():
    columns = {"x": pa.array(np.random.default_rng(0).normal(size=500))}
    assert fitted(**columns) == fitted(**columns)
    reversed_rows = {"x": columns["x"].take(pa.array(range(499, -1, -1)))}
    table = pa.table({**reversed_rows, "y": [str((499 - i) % 2) for i in range(500)]})
    cleaner = cleaner_of(table)
    other = fit_features("dense", cleaner, summary_of(cleaner, table), FeaturesConfig())
    (a,), (b,) = fitted(**columns).pipeline.numeric, other.pipeline.numeric
    assert a == b
