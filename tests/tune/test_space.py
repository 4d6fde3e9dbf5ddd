import pytest

from distml.errors import ConfigError
from distml.models import FAMILIES
from distml.tune.distribution import Choice, Constant, Range
from distml.tune.space import SearchSpace


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
        ({"numeric_embedding": {"int": [1, 2]}}, "a word"),
        ({"numeric_embedding": {"choice": ["none", 3]}}, "a word"),
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
