import pytest

from distml.errors import ConfigError
from distml.models import FAMILIES
from distml.tune.distribution import Choice, Constant, Range, parse_distribution
from distml.tune.space import SearchSpace


@pytest.mark.parametrize(
    ("written", "distribution"),
    [
        ({"log": [1e-4, 0.1]}, Range(low=1e-4, high=0.1, log=True)),
        ({"uniform": [0, 0.5]}, Range(low=0, high=0.5)),
        ({"uniform": [-1, 1]}, Range(low=-1, high=1)),
        ({"int": [1, 4]}, Range(low=1, high=4, integer=True)),
        ({"int": [8, 128], "log": True}, Range(low=8, high=128, log=True, integer=True)),
        ({"int": [8, 128], "log": False}, Range(low=8, high=128, integer=True)),
        ({"int": [4.0, 4.0]}, Range(low=4, high=4, integer=True)),
        ({"choice": [64, 128]}, Choice((64, 128))),
        ({"choice": ["a", None]}, Choice(("a", None))),
        (3, Constant(3)),
        ("gelu", Constant("gelu")),
        (None, Constant(None)),
        (False, Constant(False)),
    ],
    ids=str,
)
def test_syntax(written, distribution):
    assert parse_distribution(written, "here") == distribution


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"normal": [0, 1]},
        {"log": [1, 2], "uniform": [1, 2]},
        {"uniform": [1, 2], "log": True},
        {"int": [1, 2], "log": "yes"},
        {"choice": [1], "step": 2},
        {"log": True},
        {"choice": []},
        {"choice": 3},
        {"uniform": [1]},
        {"uniform": [1, 2, 3]},
        {"uniform": [2, 1]},
        {"uniform": ["1", "2"]},
        {"uniform": [0, float("inf")]},
        {"uniform": [float("nan"), 1]},
        {"int": [False, True]},
        {"int": [1.5, 3]},
    ],
    ids=str,
)
def test_anything_else_is_refused(written):
    with pytest.raises(ConfigError, match=r"a distribution is \{log: \[low, high\]\}") as caught:
        parse_distribution(written, "search.space.mlp.lr")
    assert caught.value.received == repr(written)
    assert caught.value.where == "search.space.mlp.lr"


@pytest.mark.parametrize("written", [{"log": [0, 1]}, {"log": [-1, 1]}, {"int": [0, 8], "log": True}], ids=str)
def test_a_logarithm_needs_numbers_above_zero(written):
    with pytest.raises(ConfigError, match="lies above zero"):
        parse_distribution(written, "lr")


@pytest.mark.parametrize(
    ("distribution", "inside", "outside"),
    [
        (Range(low=1, high=2), [1, 1.5, 2], [0.999, 2.001, "1", None, float("nan")]),
        (Choice((1, "a")), [1, "a"], [2, "b"]),
        (Constant(3), [3], [4, None]),
    ],
    ids=["range", "choice", "constant"],
)
def test_what_lies_in_a_distribution(distribution, inside, outside):
    assert all(value in distribution for value in inside)
    assert not any(value in distribution for value in outside)


def test_a_space_holds_the_families_asked_for_and_all_their_parameters():
    space = SearchSpace.of(("trees", "linear"), {})
    assert list(space.families) == ["trees", "linear"]
    for name, distributions in space.families.items():
        assert set(distributions) == set(FAMILIES[name].defaults)
        assert space.defaults(name) == FAMILIES[name].defaults


def test_a_config_overrides_single_parameters():
    space = SearchSpace.of(("mlp",), {"mlp": {"lr": 0.01, "width": {"choice": [8]}}})
    assert space.families["mlp"]["lr"] == Constant(0.01)
    assert space.families["mlp"]["width"] == Choice((8,))
    assert space.families["mlp"]["dropout"] == Range(low=0.0, high=0.5)


def test_defaults_outside_the_space_are_left_out():
    space = SearchSpace.of(("linear",), {"linear": {"lr": {"log": [0.5, 1.0]}}})
    assert space.defaults("linear") == {"weight_decay": FAMILIES["linear"].defaults["weight_decay"]}


@pytest.mark.parametrize(
    ("overrides", "where"),
    [({"lrr": 1}, "search.space.linear"), ({"lr": {"log": [1]}}, "search.space.linear.lr")],
)
def test_errors_say_where_they_were_found(overrides, where):
    with pytest.raises(ConfigError) as caught:
        SearchSpace.of(("linear",), {"linear": overrides})
    assert caught.value.where == where


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"num_blocks": {"uniform": [1, 3]}}, "whole number"),
        ({"num_blocks": {"choice": [1, 2.5]}}, "whole number"),
        ({"width": "wide"}, "whole number"),
        ({"lr": {"choice": ["fast"]}}, "a number"),
        ({"lr": True}, "a number"),
    ],
)
def test_a_distribution_gives_values_of_the_parameters_kind(params, said):
    with pytest.raises(ConfigError, match=said) as caught:
        SearchSpace.of(("mlp",), {"mlp": params})
    assert caught.value.where == f"search.space.mlp.{next(iter(params))}"


def test_whole_numbers_do_for_a_fraction():
    assert SearchSpace.of(("mlp",), {"mlp": {"dropout": 0, "lr": {"choice": [1]}}})


def test_parameters_of_a_network_of_ones_own_have_any_name_and_kind():
    own = {"width": {"choice": [8, 16]}, "act": "relu", "depth": {"int": [1, 3]}}
    space = SearchSpace.of(("own",), {"own": own})
    assert set(space.families["own"]) == {"lr", "weight_decay", "width", "act", "depth"}
    assert space.defaults("own") == {"lr": 1e-3, "weight_decay": 1e-4}
    assert space.point("own", {"depth": 2, "act": "relu"}, "here") == {"depth": 2}
    with pytest.raises(ConfigError, match="this parameter is a number"):
        SearchSpace.of(("own",), {"own": {"lr": "fast"}})
