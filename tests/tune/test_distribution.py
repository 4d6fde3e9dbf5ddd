import pytest

from distml.errors import ConfigError
from distml.tune.distribution import Choice, Constant, Range, parse_distribution


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
        ({"int": [8, 32], "step": 8}, Range(low=8, high=32, integer=True, step=8)),
        ({"uniform": [0.1, 0.5], "step": 0.1}, Range(low=0.1, high=0.5, step=0.1)),
        ({"choice": ["none", "ple"]}, Choice(("none", "ple"))),
        ({"choice": [True, False]}, Choice((True, False))),
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
        (Range(low=1, high=2), [1, 1.5, 2], [0.999, 2.001, "1", None, float("nan"), True]),
        (Range(low=1, high=4, integer=True), [1, 2.0, 4], [0, 1.5, 5, True]),
        (Range(low=8, high=32, integer=True, step=8), [8, 16, 32], [12, 40]),
        (Range(low=0.1, high=0.5, step=0.1), [0.1, 0.3, 0.1 + 2 * 0.1, 0.5], [0.15, 0.6]),
        (Choice((1, "a")), [1, "a"], [2, "b", True]),
        (Choice((True,)), [True], [1, False]),
        (Constant(3), [3], [4, None]),
    ],
    ids=["range", "whole numbers", "whole steps", "steps", "choice", "truth", "constant"],
)
def test_what_lies_in_a_distribution(distribution, inside, outside):
    assert all(value in distribution for value in inside)
    assert not any(value in distribution for value in outside)


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ({"int": [1, 3]}, (1, 2, 3)),
        ({"int": [2, 4], "log": True}, (2, 3, 4)),
        ({"int": [8, 24], "step": 8}, (8, 16, 24)),
        ({"uniform": [0.0, 0.3], "step": 0.1}, (0.0, 0.1, 0.2, pytest.approx(0.3))),
        ({"choice": ["a", None]}, ("a", None)),
        (3, (3,)),
        ({"uniform": [0, 1]}, None),
        ({"log": [1, 2]}, None),
    ],
    ids=str,
)
def test_what_can_be_counted(written, values):
    assert parse_distribution(written, "here").values() == values


@pytest.mark.parametrize(
    ("written", "rule", "remedy"),
    [
        ({"int": [1, 8], "step": 2}, "a range's steps end at its high end", "let it end at 7"),
        ({"uniform": [0, 1], "step": 0.3}, "a range's steps end at its high end", "let it end at 0.9"),
        ({"int": [1, 9], "step": 2, "log": True}, "a logarithmic range has no step", "leave log or step out"),
        ({"int": [1, 9], "step": 0.5}, "a step is a whole number above zero", None),
        ({"int": [1, 9], "step": 0}, "a step is a whole number above zero", None),
        ({"uniform": [1, 9], "step": -1}, "a step is a number above zero", None),
        ({"uniform": [1, 9], "step": "wide"}, "a step is a number above zero", None),
        ({"choice": [1, 2, 1]}, "a choice names each value once", "name it once"),
        ({"choice": [[1, 2]]}, "a choice is among plain values", None),
    ],
    ids=str,
)
def test_what_optuna_would_change_or_not_store_is_refused(written, rule, remedy):
    with pytest.raises(ConfigError, match=rule) as caught:
        parse_distribution(written, "search.space.mlp.width")
    assert caught.value.where == "search.space.mlp.width"
    assert remedy is None or remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({"log": [1e-4, 0.1]}, "{log: [0.0001, 0.1]}"),
        ({"int": [8, 128], "log": True}, "{int: [8, 128], log: true}"),
        ({"int": [8, 16], "step": 4}, "{int: [8, 16], step: 4}"),
        ({"uniform": [0, 0.5]}, "{uniform: [0, 0.5]}"),
        ({"choice": ["a", 1]}, "{choice: [a, 1]}"),
        (3, "3"),
    ],
    ids=str,
)
def test_errors_tell_it_as_a_config_writes_it(written, told):
    assert str(parse_distribution(written, "here")) == told
