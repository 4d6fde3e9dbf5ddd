import pickle

import pytest

from distml import errors
from distml.errors import DistmlError, did_you_mean, root_cause

KINDS = {
    "DistmlError": (1, Exception),
    "UsageError": (2, DistmlError),
    "ConfigError": (2, errors.UsageError),
    "DataError": (2, errors.UsageError),
    "CodeError": (2, errors.UsageError),
    "StorageError": (2, errors.UsageError),
    "NotFoundError": (2, errors.UsageError),
    "PackageError": (1, DistmlError),
    "TrainingError": (1, DistmlError),
    "ConflictError": (1, DistmlError),
}


def test_the_tree_is_complete():
    found = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert found == set(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_exit_code_and_parent(name):
    kind = getattr(errors, name)
    exit_code, parent = KINDS[name]
    assert kind.exit_code == exit_code
    assert kind.__bases__ == (parent,)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({}, "a rule."),
        ({"received": 1.5}, "a rule; received 1.5."),
        ({"received": "text"}, "a rule; received text."),
        ({"received": ["a"]}, "a rule; received ['a']."),
        ({"received": 0}, "a rule; received 0."),
        ({"where": "data.csv"}, "a rule; in data.csv."),
        ({"remedy": "do this"}, "a rule. Remedy: do this."),
        ({"remedy": "did you mean 'x'?"}, "a rule. Remedy: did you mean 'x'?"),
        ({"received": "x", "where": "y", "remedy": "z."}, "a rule; received x; in y. Remedy: z."),
    ],
)
def test_says_rule_received_place_and_remedy(parts, text):
    assert str(DistmlError("a rule", **parts)) == text
    assert str(DistmlError("a rule.", **parts)) == text


@pytest.mark.parametrize("name", KINDS)
def test_pickles_whole(name):
    error = getattr(errors, name)("a rule", received=[1, 2], where="here", remedy="do")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert copy.to_dict() == error.to_dict()
    assert str(copy) == str(error)


def test_to_dict():
    assert errors.DataError("a rule", received=3).to_dict() == {
        "type": "DataError",
        "rule": "a rule",
        "received": "3",
        "where": None,
        "remedy": None,
    }


@pytest.mark.parametrize(
    ("word", "near"), [("treshold", "threshold"), ("storage", "storage"), ("zzz", None), ("", None)]
)
def test_did_you_mean(word, near):
    assert did_you_mean(word, ["threshold", "storage"]) == near


def test_did_you_mean_of_nothing_known():
    assert did_you_mean("word", []) is None


def test_root_cause_is_the_first_error_behind_wrappers():
    own = errors.TrainingError("diverged")
    wrapper = RuntimeError("frames")
    wrapper.cause = own
    outer = ValueError("outer")
    outer.__cause__ = wrapper
    assert root_cause(outer) is own
    assert root_cause(own) is own


def test_root_cause_of_a_foreign_error_is_itself():
    error = ValueError("x")
    error.__cause__ = KeyError("y")
    assert root_cause(error) is error
