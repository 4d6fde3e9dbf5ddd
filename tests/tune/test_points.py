"""Points to evaluate: tried first, as they are, if they lie in the space."""

import pytest

from distml.errors import ConfigError
from distml.tune import SearchSpace
from searches import SMALL, study_of

SPACE = SearchSpace.of(("linear", "mlp"), SMALL)


def test_points_come_before_the_defaults():
    points = [("linear", {"lr": 0.0123}), ("mlp", {"width": 16, "num_blocks": 2})]
    study = study_of(families=("linear", "mlp"), num_samples=4, points=points)
    first, second, third, fourth = (study.ask() for _ in range(4))
    assert (first.family, first.params["lr"]) == ("linear", 0.0123)
    assert (second.family, second.params["width"], second.params["num_blocks"]) == ("mlp", 16, 2)
    assert [third.family, fourth.family] == ["linear", "mlp"]


def test_constants_are_part_of_a_point_and_not_searched():
    assert SPACE.point("mlp", {"embedding_width": 4, "width": 8}, "here") == {"width": 8}


@pytest.mark.parametrize(
    ("family", "params", "rule"),
    [
        ("trees", {}, "a point is of a family that is searched"),
        ("mlp", {"width": 9}, "a point lies in the search space"),
        ("mlp", {"embedding_width": 5}, "a point lies in the search space"),
        ("mlp", {"depth": 3}, "a point lies in the search space"),
        ("linear", {"lr": float("nan")}, "a point lies in the search space"),
    ],
)
def test_a_point_outside_the_space_is_refused(family, params, rule):
    with pytest.raises(ConfigError, match=rule):
        SPACE.point(family, params, "search.points_to_evaluate")
