from datetime import datetime, timedelta
from itertools import chain

import numpy as np
import pyarrow as pa
import pytest

from distml.config.features import FeaturesConfig
from distml.errors import DataError
from distml.features import (
    CategoricalTransform,
    FittedFeatures,
    HashTransform,
    TextTransform,
    empty_target_counts,
    fit_features,
)
from distml.hashing import row_hashes
from distml.scaling import LinearScale, QuantileScale
from tables import cleaner_of, pipeline_of, summary_of, target_encoded


def fitted(recipe="dense", features=None, sample_size=1000, kinds=None, **columns) -> FittedFeatures:
    n = len(next(iter(columns.values())))
    table = pa.table({**columns, "y": pa.array([str(i % 2) for i in range(n)]), "key": range(n)})
    cleaner = cleaner_of(table, kinds=kinds or {}, roles={"id": "key"})
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


# Numbers


def test_a_constant_is_filled_in():
    assert numeric({"numeric": {"impute": "constant", "fill_value": -1}}).fill == -1.0
    assert numeric({"columns": {"x": {"impute": "constant", "fill_value": 7}}}).fill == 7.0


def test_an_indicator_may_be_an_exception():
    assert numeric({"columns": {"x": {"indicator": False}}}).indicator is False


@pytest.mark.parametrize(
    ("clip", "bounds"),
    [
        ({"min": 1.5}, (1.5, None)),
        ({"min": 0, "max": 5}, (0.0, 5.0)),
        ({"quantiles": [0.25, 0.75]}, (1.5, 4.0)),
    ],
)
def test_clipping_is_as_configured(clip, bounds):
    transform = numeric({"numeric": {"clip": clip, "scale": "minmax"}})
    assert (transform.low, transform.high) == bounds
    far, at_bounds = pa.array([-1e9, 1e9]), pa.array([bounds[0], bounds[1] or 1e9])
    np.testing.assert_array_equal(transform.transform(far), transform.transform(at_bounds))


@pytest.mark.parametrize("clip", [{"quantiles": [0.1, 0.9]}, {"max": -1}, {"min": 5}])
def test_clipping_that_leaves_one_value_is_left_out(clip):
    values = pa.array([0.0] * 99 + [1.0])
    result = fitted(features={"columns": {"x": {"clip": clip}}}, x=values)
    (transform,), (finding,) = result.pipeline.numeric, result.findings
    assert (transform.low, transform.high) == (None, None)
    assert (finding.rule, finding.action) == ("a clipped feature keeps at least two values", "ignore")


def test_a_scale_that_the_rows_do_not_allow_is_replaced():
    result = fitted(features={"numeric": {"scale": "robust"}}, x=pa.array([0.0] * 99 + [1.0]))
    (transform,), (finding,) = result.pipeline.numeric, result.findings
    assert transform.scaling == LinearScale(center=0.01, scale=pytest.approx(np.sqrt(0.0099)))
    assert (finding.column, finding.action, finding.count) == ("x", "replace", 100)
    assert "scale robust" in finding.rule


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_numbers_too_far_apart_to_be_scaled_are_ranked():
    result = fitted(features={"numeric": {"scale": "standard"}}, x=pa.array([-1e308, 0.0, 1e308]))
    (transform,) = result.pipeline.numeric
    assert isinstance(transform.scaling, QuantileScale)
    assert [finding.action for finding in result.findings] == ["replace"]


def test_bins_are_quantiles():
    transform = numeric({"numeric": {"bins": 4}}, values=[*range(101), None])
    assert transform.edges == (0, 25, 50, 75, 100)
    assert (transform.scaling, transform.width) == (None, 5)


def test_bins_of_few_values_are_fewer():
    transform = numeric({"numeric": {"bins": 8}}, values=[1.0] * 50 + [2.0, 3.0] * 25)
    assert len(transform.edges) < 9
    assert (transform.edges[0], transform.edges[-1]) == (1, 3)
    assert (np.diff(transform.edges) > 0).all()


@pytest.mark.parametrize("features", [{"bins": 4}, {"scale": "robust"}, {"clip": {"quantiles": [0.1, 0.9]}}])
def test_trees_take_numbers_as_they_are_whatever_the_config(features):
    transform = numeric({"numeric": features}, recipe="trees")
    np.testing.assert_array_equal(transform.transform(pa.array([1e9, None])), [[1e9], [np.nan]])


# Categories

CITIES = pa.array(["Rome"] * 6 + ["Oslo"] * 5 + ["Pisa"] * 2 + [None])


def encoded(recipe="dense", values=CITIES, **settings):
    result = fitted(recipe, {"categorical": settings}, c=values)
    return (*result.pipeline.numeric, *result.pipeline.categorical)[0]


def test_one_hot():
    transform = encoded(encode="onehot")
    assert transform.names == ("c=(missing)", "c=(other)", "c=Rome", "c=Oslo")
    assert encoded(encode="onehot", min_count=1, values=pa.array(["a", "b"])).names == ("c=a", "c=b")


@pytest.mark.parametrize("encode", ["embed", "onehot"])
def test_trees_take_categories_as_they_are(encode):
    assert encoded("trees", encode=encode) == CategoricalTransform(column="c", vocabulary=("Rome", "Oslo"))


@pytest.mark.parametrize("recipe", ["dense", "trees"])
def test_hashed_categories_are_codes(recipe):
    assert encoded(recipe, encode="hash", num_buckets=7) == HashTransform(column="c", num_buckets=7)


def test_counted_categories():
    words = pa.array(["Rome", "Oslo", "Pisa", "new", None])
    assert encoded("trees", encode="count").transform(words)[:, 0].tolist() == [6, 5, 0, 0, 1]
    scaled = encoded("dense", encode="count").transform(CITIES)
    assert (scaled.mean(), scaled.std()) == pytest.approx((0, 1), abs=1e-6)


@pytest.mark.parametrize(("recipe", "encode", "names"), [
    ("dense", "embed", ("c",)), ("trees", "onehot", ("c",)), ("dense", "onehot", ("c", "c_missing")),
    ("dense", "count", ("c_count",)),
])  # fmt: skip
def test_truth_values(recipe, encode, names):
    values = pa.array([True] * 6 + [False] * 6 + [None])
    assert encoded(recipe, encode=encode, values=values).names == names


def test_categories_beyond_the_most_frequent_are_a_finding():
    (finding,) = fitted(
        features={"categorical": {"max_categories": 1, "min_count": 1}}, x=pa.array(["a", "b"])
    ).findings
    assert (finding.rule, finding.count) == ("a feature has at most 1 categories", 1)


def test_too_wide_a_one_hot_encoding_is_refused():
    with pytest.raises(DataError, match="at most 1,000 columns; received 1,001 categories") as caught:
        encoded(encode="onehot", min_count=1, values=pa.array([f"w{i}" for i in range(1001)]))
    assert caught.value.where == "column c"


@pytest.mark.parametrize(("encode", "num_left"), [("onehot", 0), ("count", 0), ("target", 0), ("hash", 1)])
def test_what_needs_a_vocabulary_leaves_out_a_column_of_too_many_categories(encode, num_left):
    result = fitted(features={"categorical": {"encode": encode}}, x=pa.array([f"w{i}" for i in range(100_001)]))
    assert len(result.pipeline.numeric) + len(result.pipeline.categorical) == num_left
    assert [finding.action for finding in result.findings] == ["ignore"] * (1 - num_left)


# Datetimes


def stamps(step: timedelta, n: int = 200) -> pa.Array:
    return pa.array([datetime(2023, 1, 2) + i * step for i in range(n)])


@pytest.mark.parametrize(
    ("step", "parts", "names"),
    [
        (timedelta(hours=7), "auto", ["t_epoch", "t_hour", "t_weekday", "t_day_of_year"]),
        (timedelta(days=1), "auto", ["t_epoch", "t_weekday", "t_day_of_year"]),
        (timedelta(days=7), "auto", ["t_epoch", "t_day_of_year"]),
        (timedelta(hours=7), ["epoch"], ["t_epoch"]),
        (timedelta(days=4), ["month", "year"], ["t_month", "t_year"]),
    ],
)
def test_datetimes_become_the_parts_that_vary(step, parts, names):
    features = {"datetime": {"parts": parts}}
    trees, dense = (fitted(recipe, features, t=stamps(step)) for recipe in ("trees", "dense"))
    assert list(trees.pipeline.feature_names) == names
    circles = [[name] if name in ("t_epoch", "t_year") else [f"{name}_sin", f"{name}_cos"] for name in names]
    assert list(dense.pipeline.feature_names) == list(chain(*circles))
    assert dense.findings == trees.findings == ()


def test_bounds_of_numbers_do_not_clip_dates():
    features = {"numeric": {"clip": {"max": 100}, "scale": "none"}, "datetime": {"parts": ["epoch"]}}
    (transform,) = fitted(features=features, t=stamps(timedelta(hours=5))).pipeline.numeric
    assert (transform.low, transform.high) == (None, None)


def test_a_part_that_was_asked_for_and_does_not_vary_is_a_finding():
    result = fitted(features={"columns": {"t": {"parts": ["hour", "weekday"]}}}, t=stamps(timedelta(days=1)))
    assert list(result.pipeline.feature_names) == ["t_weekday_sin", "t_weekday_cos"]
    (finding,) = result.findings
    assert (finding.rule.rsplit(" ")[-1], finding.column, finding.action) == ("hour", "t", "ignore")


@pytest.mark.parametrize(("parts", "names"), [("auto", 1), (["weekday"], 1), (["epoch"], 1)])
def test_a_datetimes_gaps_are_marked_once(parts, names):
    gaps = pa.array([None, *stamps(timedelta(hours=5)).to_pylist()])
    result = fitted(features={"datetime": {"parts": parts}}, t=gaps)
    assert [name.endswith("_missing") for name in result.pipeline.feature_names].count(True) == names


# Texts and targets


def test_texts():
    result = fitted(features={"text": {"tokens": "chars", "ngrams": [2, 3], "num_buckets": 8}}, kinds={"x": "text"},
                    x=pa.array(["good day", "bad night", None]))  # fmt: skip
    (transform,) = result.pipeline.numeric
    assert transform == TextTransform(
        column="x", tokens="chars", shortest=2, longest=3, num_buckets=8, indicator=True
    )  # fmt: skip


@pytest.mark.parametrize("recipe", ["dense", "trees"])
def test_target_encoding_is_fitted_from_the_counts_by_target(recipe):
    table = pa.table({"c": CITIES, "y": pa.array(["yes"] * 5 + ["no"] * 9), "key": range(14)})
    pipeline = target_encoded(recipe, table, roles={"id": "key"})
    (transform,) = pipeline.numeric
    assert transform.vocabulary == ("Rome", "Oslo")
    cleaned = pipeline.cleaner.apply(table).table
    rows = row_hashes(cleaned)
    plain, training = pipeline.encode(cleaned).numeric, pipeline.encode(cleaned, rows=rows, is_training=True).numeric
    assert len(np.unique(plain)) == 4 < len(np.unique(training))
    if recipe == "trees":
        prior = 5 / 14
        np.testing.assert_allclose(plain[[0, 6], 0], [(5 + 10 * prior) / 16, 10 * prior / 15], rtol=1e-6)


def test_counts_by_target_are_asked_for_where_they_are_needed():
    cleaner = cleaner_of(pa.table({"a": ["x", "y"], "b": ["x", "y"], "n": [1, 2], "y": ["0", "1"]}))
    config = FeaturesConfig.model_validate({"columns": {"b": {"encode": "target", "folds": 3}}})
    (found,) = empty_target_counts(cleaner.schema, config).items()
    assert (found[0], found[1].num_folds) == ("b", 3)
    assert empty_target_counts(cleaner.schema, FeaturesConfig()) == {}


@pytest.mark.parametrize(
    ("settings", "received"),
    [({"n": {"encode": "onehot"}}, "encode"), ({"c": {"scale": "none"}}, "scale"), ({"c": {"parts": "auto"}}, "parts")],
)
def test_a_setting_that_does_not_go_with_a_columns_kind_is_refused(settings, received):
    with pytest.raises(DataError, match=r"a setting for a (numeric|categorical) column is one of") as caught:
        fitted(features={"columns": settings}, n=pa.array([1.0, 2.0]), c=pa.array(["a", "b"]))
    assert caught.value.received == received


@pytest.mark.parametrize(("scale", "count"), [("none", 2), ("quantile", 0)])
def test_numbers_beyond_what_float32_holds_are_counted(scale, count):
    found = fitted(features={"numeric": {"scale": scale}}, x=np.append(np.linspace(1, 2, 200), [1e60, -1e60]))
    told = [(f.column, f.count, f.action) for f in found.findings if "float32" in f.rule]
    assert told == ([("x", count, "clip")] if count else [])
