import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from distml.errors import DataError, PackageError
from distml.package import Golden, ModelPackage
from distml.predictor import MAX_FEW, NUM_GOLDEN, Predictor, as_arrow, with_golden
from distml.records import records_from_table, table_from_records
from tables import package_of, raw_table

OTHER = raw_table(80, seed=3)
RULES = {
    "rules": {
        "count": {"max": 6, "on_violation": "drop"},
        "size": {"min": -2, "on_violation": "quarantine"},
        "color": {"allowed": ["red", "green", "blue"]},
    }
}


@pytest.fixture(scope="module", params=["linear", "trees"])
def family(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def predictor(family) -> Predictor:
    return Predictor(package_of(family))


@pytest.fixture(scope="module")
def strict() -> Predictor:
    return Predictor(package_of("linear", clean=RULES, private="color"))


def test_predictions_are_classes_with_probabilities(predictor):
    prediction = predictor.predict(OTHER)
    assert prediction.probabilities.shape == (80, 2)
    np.testing.assert_allclose(prediction.probabilities.sum(axis=1), 1)
    assert prediction.values.tolist() == ["yes" if p >= 0.5 else "no" for p in prediction.score]
    truth = np.array(OTHER.column("y").to_pylist())
    assert np.mean(prediction.values == truth) > 0.8


def test_predictions_are_numbers_in_the_targets_unit():
    prediction = Predictor(package_of("trees", "value")).predict(OTHER)
    assert prediction.probabilities is None
    assert np.corrcoef(prediction.values, OTHER.column("value").to_numpy())[0, 1] > 0.9
    assert abs(prediction.values.mean() - 10) < 2


def test_a_row_alone_is_predicted_as_among_others(predictor):
    alone = np.concatenate([predictor.predict(OTHER.slice(i, 1)).scores for i in range(20)])
    np.testing.assert_allclose(alone, predictor.predict(OTHER).scores[:20], rtol=1e-5, atol=1e-6)


def test_tables_frames_and_records_are_predicted_alike(predictor):
    wanted = predictor.predict(OTHER).scores
    names = [column.name for column in predictor.schema.features]
    records = records_from_table(OTHER.select(names))
    for table in (
        OTHER.to_pandas(),
        OTHER.to_pandas().convert_dtypes(),
        OTHER.to_pandas().astype({"color": "category"}),
        OTHER.select(names[::-1]),
        OTHER.append_column("more", pa.array(range(80))),
        table_from_records(records, predictor.schema),
    ):
        np.testing.assert_array_equal(predictor.predict(table).scores, wanted)


def test_few_records_are_predicted_as_the_table_of_them(predictor):
    names = [column.name for column in predictor.schema.inputs]
    rows = records_from_table(OTHER.select(names))
    for n in (1, 2, 17, 80):
        few, wanted = predictor.predict_few(rows[:n]), predictor.predict(OTHER.slice(0, n))
        assert few.values.tolist() == wanted.values.tolist()
        assert few.probabilities.tobytes() == wanted.probabilities.tobytes()
    assert predictor.predict_few((rows * 4)[: MAX_FEW + 1]) is None
    assert predictor.predict_few([{**rows[0], "color": " red"}]) is None


def test_cleaned_rows_are_predicted_as_raw_ones(predictor):
    cleaned, prediction = predictor.predict_kept(OTHER)
    np.testing.assert_array_equal(predictor.predict_cleaned(cleaned.table).scores, prediction.scores)
    np.testing.assert_array_equal(predictor.predict(cleaned.table).scores, prediction.scores)


def test_no_rows_are_no_predictions(predictor):
    assert predictor.predict(OTHER.slice(0, 0)).scores.shape == (0, 2)


def test_neither_target_nor_hidden_columns_are_asked_for(predictor):
    features = [column.name for column in predictor.schema.features]
    assert "y" not in features
    assert len(predictor.predict(OTHER.select(features))) == 80


def test_an_absent_column_is_refused(predictor):
    with pytest.raises(DataError) as caught:
        predictor.predict(OTHER.drop_columns("size"))
    assert caught.value.received == "no column size"


def test_threads_predict_alike(predictor):
    wanted = predictor.predict(OTHER).scores
    with ThreadPoolExecutor(4) as pool:
        for scores in pool.map(lambda _: predictor.predict(OTHER).scores, range(16)):
            np.testing.assert_array_equal(scores, wanted)


# Rows that cleaning can't keep


def with_value(row: int, **values) -> pa.Table:
    table = OTHER.slice(0, 8).set_column(1, "count", pa.array([1] * 8)).set_column(0, "size", pa.array([0.5] * 8))
    for name, value in values.items():
        column = table.column(name).to_pylist()
        column[row] = value
        table = table.set_column(table.column_names.index(name), name, pa.array(column))
    return table


@pytest.mark.parametrize(
    ("values", "rule", "received"),
    [
        ({"count": 7}, "at most 6", "7.0"),
        ({"size": -3.0}, "at least -2", "-3.0"),
        ({"color": "mauve"}, "one of", "(private)"),
    ],
)
def test_a_row_that_training_would_leave_out_is_refused(strict, values, rule, received):
    (name,) = values
    with pytest.raises(DataError) as caught:
        strict.predict(with_value(5, **values))
    assert caught.value.rule.startswith(rule)
    assert caught.value.received == received
    assert caught.value.where.endswith(f"row 5, column {name}")


def test_row_column_and_value_of_an_error_belong_together(strict):
    table = with_value(2, count=9)
    size = table.column("size").to_pylist()
    size[6] = -5.0
    with pytest.raises(DataError) as caught:
        strict.predict(table.set_column(0, "size", pa.array(size)))
    assert (caught.value.received, caught.value.where) == ("-5.0", "row 6, column size")


def test_the_rows_that_can_be_kept_are_predicted(strict):
    table = with_value(5, count=7)
    cleaned, prediction = strict.predict_kept(table)
    assert np.flatnonzero(~cleaned.kept).tolist() == [5]
    np.testing.assert_array_equal(prediction.scores, strict.predict(table.take([0, 1, 2, 3, 4, 6, 7])).scores)


# Golden rows


@pytest.fixture
def folder(predictor, tmp_path: Path) -> Path:
    predictor.package.save(tmp_path)
    return tmp_path


def test_golden_rows_are_replayed(predictor, folder):
    assert len(predictor.package.golden.rows) == NUM_GOLDEN
    predictor.replay()
    assert Predictor.load(folder).schema == predictor.schema
    assert Predictor.load(str(folder)).package.name == "demo"


def with_scores(package: ModelPackage, scores: list) -> ModelPackage:
    return dataclasses.replace(package, golden=Golden(rows=package.golden.rows, scores=scores))


@pytest.mark.parametrize("gap", [1e-7, 1e-3, 0.5])
def test_other_scores_than_when_it_was_made_are_refused(predictor, tmp_path, gap):
    scores = np.array(predictor.package.golden.scores)
    scores[3, 1] += gap
    with_scores(predictor.package, scores.tolist()).save(tmp_path)
    if gap < 1e-6:
        assert Predictor.load(tmp_path).package.name == "demo"
        return
    with pytest.raises(PackageError, match="golden rows as it did when it was made") as caught:
        Predictor.load(tmp_path)
    assert caught.value.where == str(tmp_path)
    assert float(caught.value.received.rsplit(" ", 1)[1]) == pytest.approx(gap)


@pytest.mark.parametrize("scores", [[], [0.5], [[0.5, 0.5]], [[None, 0.5]] * NUM_GOLDEN])
def test_golden_scores_of_another_shape_are_refused(predictor, scores):
    with pytest.raises(PackageError, match="golden rows as it did"):
        Predictor(with_scores(predictor.package, scores)).replay()


@pytest.mark.parametrize("row", [{}, {"size": "big", "count": 1, "color": "red", "flag": True, "at": None, "value": 1}])
def test_golden_rows_that_the_package_does_not_take_are_refused(predictor, row):
    golden = Golden(rows=[row], scores=[[0.5, 0.5]])
    with pytest.raises(PackageError, match="takes its own golden rows"):
        Predictor(dataclasses.replace(predictor.package, golden=golden)).replay()


def test_a_package_without_golden_rows_is_refused(predictor):
    with pytest.raises(PackageError, match="a package has golden rows"):
        Predictor(dataclasses.replace(predictor.package, golden=None)).replay()


def test_private_columns_are_not_in_golden_rows(strict, tmp_path):
    assert {row["color"] for row in strict.package.golden.rows} == {None}
    strict.package.save(tmp_path)
    assert "red" not in (tmp_path / "golden.json").read_text()
    assert len(Predictor.load(tmp_path).predict(OTHER.slice(0, 1).set_column(1, "count", pa.array([1])))) == 1


@pytest.mark.parametrize("num_rows", [1, NUM_GOLDEN, NUM_GOLDEN + 1])
def test_golden_rows_are_the_first(predictor, num_rows):
    cleaned = predictor.predict_kept(OTHER.slice(0, num_rows))[0].table
    golden = with_golden(predictor.package, cleaned).golden
    assert golden.rows == records_from_table(cleaned.slice(0, NUM_GOLDEN))
    assert golden.scores == predictor.predict(OTHER.slice(0, min(num_rows, NUM_GOLDEN))).scores.tolist()


# What is a table


def test_a_table_is_taken_as_it_is():
    assert as_arrow(OTHER) is OTHER


def test_a_frames_index_is_left_out():
    frame = pd.DataFrame({"a": [1.0, None]}, index=["x", "y"])
    assert as_arrow(frame).to_pydict() == {"a": [1.0, None]}


@pytest.mark.parametrize("table", [[{"a": 1}], {"a": [1]}, None, np.zeros((2, 2))])
def test_anything_else_is_refused(table):
    with pytest.raises(DataError, match=r"pyarrow\.Table or a pandas\.DataFrame") as caught:
        as_arrow(table)
    assert caught.value.received == type(table).__name__


def test_a_frame_of_mixed_values_is_refused():
    with pytest.raises(DataError, match="values of one type"):
        as_arrow(pd.DataFrame({"a": pd.Series([1, "b"], dtype=object)}))


def test_warming_up_changes_nothing(predictor):
    golden = with_golden(predictor.package, OTHER)
    warm = Predictor(golden)
    warm.warm_up()
    np.testing.assert_array_equal(warm.predict(OTHER).scores, predictor.predict(OTHER).scores)
