import numpy as np
import orjson
import pytest

from distml.postprocess import Postprocess
from distml.scaling import LinearScale
from distml.target import ClassTarget, NumericTarget

TWO = ClassTarget(labels=("no", "yes"))
THREE = ClassTarget(labels=(0, 1, 2))
NUMBER = NumericTarget(mean=10.0, scaling=LinearScale(center=10.0, scale=2.0))


def two(*positive: float) -> np.ndarray:
    return np.array([[1 - p, p] for p in positive])


@pytest.mark.parametrize(
    ("threshold", "wanted"),
    [(0.5, ["no", "yes", "yes"]), (0.51, ["no", "no", "yes"]), (0.0, ["yes"] * 3), (0.95, ["no"] * 3)],
)
def test_a_threshold_is_the_least_positive_probability(threshold, wanted):
    prediction = Postprocess(weights=(1.0,), target=TWO, threshold=threshold)([two(0.2, 0.5, 0.9)])
    assert prediction.values.tolist() == wanted
    assert prediction.labels == ("no", "yes")


def test_the_likeliest_of_several_classes():
    prediction = Postprocess(weights=(1.0,), target=THREE)(
        [np.array([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8], [0.4, 0.4, 0.2]])]
    )
    assert prediction.values.tolist() == [1, 2, 0]
    assert prediction.score.tolist() == [0.5, 0.8, 0.4]


def test_numbers_come_back_in_their_unit():
    prediction = Postprocess(weights=(1.0,), target=NUMBER)([np.array([0.0, -1.5])])
    assert prediction.values.tolist() == prediction.scores.tolist() == prediction.score.tolist() == [10.0, 7.0]
    assert (prediction.probabilities, prediction.labels) == (None, None)


@pytest.mark.parametrize(("weights", "wanted"), [((0.25, 0.75), 0.75), ((1.0, 0.0), 0.0), ((0.0, 1.0), 1.0)])
def test_members_are_blended_by_weight(weights, wanted):
    assert Postprocess(weights=weights, target=TWO)([two(0.0), two(1.0)]).score.tolist() == [wanted]
    blended = Postprocess(weights=weights, target=NUMBER)([np.array([0.0]), np.array([1.0])])
    assert blended.values.tolist() == [10 + 2 * wanted]


def test_blending_leaves_the_outputs_alone():
    outputs = [two(0.2), two(0.4)]
    Postprocess(weights=(0.5, 0.5), target=TWO)(outputs)
    assert outputs[0].tolist() == two(0.2).tolist()


def test_one_output_per_member():
    with pytest.raises(AssertionError, match="one output per member"):
        Postprocess(weights=(0.5, 0.5), target=TWO)([two(0.2)])


def test_the_score_of_two_classes_is_the_positive_probability():
    prediction = Postprocess(weights=(1.0,), target=TWO)([two(0.2, 0.9)])
    assert prediction.score.tolist() == [0.2, 0.9]
    assert prediction.scores is prediction.probabilities
    assert len(prediction) == 2


@pytest.mark.parametrize(
    ("target", "outputs"), [(TWO, np.empty((0, 2))), (THREE, np.empty((0, 3))), (NUMBER, np.empty(0))]
)
def test_no_rows_are_no_predictions(target, outputs):
    prediction = Postprocess(weights=(1.0,), target=target)([outputs])
    assert (len(prediction), prediction.score.shape) == (0, (0,))


@pytest.mark.parametrize("target", [TWO, THREE, NUMBER], ids=["two", "three", "number"])
def test_round_trips_through_json(target):
    value = Postprocess(weights=(0.3, 0.7), target=target, threshold=1 / 3)
    assert Postprocess.from_dict(orjson.loads(orjson.dumps(value.to_dict()))) == value


@pytest.mark.parametrize(("start", "stop", "wanted"), [(0, 1, [10.0]), (1, 3, [7.0, 12.0]), (1, 1, []), (0, 9, None)])
def test_rows_of_a_prediction_are_one(start, stop, wanted):
    whole = Postprocess(weights=(1.0,), target=NUMBER)([np.array([0.0, -1.5, 1.0])])
    assert whole.slice(start, stop).values.tolist() == (whole.values.tolist() if wanted is None else wanted)


def test_a_slice_has_the_probabilities_of_its_rows_and_the_same_labels():
    whole = Postprocess(weights=(1.0,), target=TWO)([two(0.2, 0.5, 0.9)])
    part = whole.slice(1, 3)
    assert (part.score.tolist(), part.labels, part.values.tolist()) == ([0.5, 0.9], TWO.labels, ["yes", "yes"])
    assert part.probabilities is not None
    assert np.shares_memory(part.probabilities, whole.probabilities)
