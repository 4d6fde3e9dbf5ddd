"""Nested mappings as commented YAML."""

import yaml
from hypothesis import given
from hypothesis import strategies as st

from distml.config import parse_config
from distml.proposal.commented import WIDTH, flow, render, scalar


@given(st.one_of(st.text(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none()))
def test_any_scalar_is_read_back(value):
    text = f"name: x\nstorage: {scalar(value)}\n"
    assert yaml.safe_load(text)["storage"] == value
    if isinstance(value, str) and "${" not in value and value.isprintable() and "://" not in value:
        # As distml reads it, to whom 1e5 is a number and no a text.
        config = parse_config(f"{text}data: {{source: {{uri: x}}, target: y}}\n", environ={})
        assert config.storage == value


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=12), max_size=40))
def test_a_long_list_is_broken_between_values(values):
    lines = render({"a": {"b": {"columns": values}}}, {("a", "b", "columns"): "why"})
    assert yaml.safe_load("\n".join(lines)) == {"a": {"b": {"columns": values}}}


def test_comments_stand_behind_or_above():
    long = "because " * 30
    lines = render(
        {"name": "x", "data": {"exclude": ["a", "b"], "kinds": {"c": "numeric"}}},
        {("data", "exclude"): "short", ("data", "exclude", "b"): long, ("data", "kinds", "c"): "so"},
    )
    assert lines[:4] == ["name: x", "data:", "  exclude:  # short", "    - a"]
    assert lines[4].startswith("    # because because")
    assert lines[-3:] == ["    - b", "  kinds:", "    c: numeric  # so"]
    assert max(map(len, lines)) <= WIDTH


def test_values_on_one_line():
    assert flow({"y": {"a.": "a", -1: None}, "z": []}) == '{"y": {a.: a, -1: null}, z: []}'
