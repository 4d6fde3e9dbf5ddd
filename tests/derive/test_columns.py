"""Which columns a config derives, of what kind, in which order; what they may be made of."""

from __future__ import annotations

import pyarrow as pa
import pytest

from distml import code
from distml.config.derived import DerivedConfig
from distml.derive import with_derived
from distml.errors import CodeError, ConfigError
from distml.schema import Column, Schema

SCHEMA = Schema(
    (
        Column(name="a", kind="numeric", dtype="number"),
        Column(name="s", kind="categorical", dtype="string", private=True),
        Column(name="t", kind="boolean", dtype="boolean"),
        Column(name="when", kind="datetime", dtype="datetime", role="time"),
        Column(name="key", kind="categorical", dtype="string", role="id"),
        Column(name="w", kind="numeric", dtype="number", role="weight"),
        Column(name="old", kind="numeric", dtype="number", role="excluded"),
        Column(name="y", kind="categorical", dtype="string", role="target"),
    )
)


def derived(**texts: str) -> Schema:
    return with_derived(SCHEMA, DerivedConfig(derived=texts))


@pytest.mark.parametrize(
    ("text", "kind", "dtype", "arrow_type"),
    [
        ("a / 2", "numeric", "number", pa.float64()),
        ("cross(s, t)", "categorical", "string", pa.string()),
        ("a > 2", "boolean", "boolean", pa.string()),
        ("when if a > 2 else '2024-01-01'", "datetime", "datetime", pa.timestamp("us")),
    ],
)
def test_kinds_follow_from_the_columns(text, kind, dtype, arrow_type):
    column = derived(new=text)["new"]
    assert (column.kind, column.dtype, column.arrow_type) == (kind, dtype, arrow_type)
    assert (column.role, column.derived) == ("feature", text)


def test_a_column_may_use_others_whatever_the_order():
    schema = derived(c="b * 2", b="a + 1", d="c > b and t")
    assert [(column.name, column.uses) for column in schema.derived] == [
        ("b", ("a",)), ("c", ("b",)), ("d", ("c", "b", "t"))
    ]  # fmt: skip
    assert schema.columns[: len(SCHEMA.columns)] == SCHEMA.columns


def test_what_is_made_of_a_private_column_is_private():
    schema = derived(b="length(s)", c="b + a", d="a + 1")
    assert [column.private for column in schema.derived] == [True, True, False]


def test_a_request_has_what_features_are_made_of():
    names = [column.name for column in SCHEMA.inputs]
    assert names == ["a", "s", "t"]
    assert [column.name for column in derived(b="a + 1").inputs] == names
    assert [column.name for column in derived(b="weekday(when) > 4").inputs] == [*names, "when"]


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ({"b": "c + 1", "c": "d + 1", "d": "b + 1"}, ["in a circle", "b → c → d → b", "features.derived.b"]),
        ({"b": "b + 1"}, ["in a circle", "b → b"]),
        ({"a": "a + 1"}, ["has a name that no column of the table has", "received a"]),
        ({"b": "1 + length(y)"}, ["received y, the target", "character 12 of '1 + length(y)'", "predicted"]),
        ({"b": "w * 2"}, ["received w, the weight"]),
        ({"b": "length(key)"}, ["received key, an id", "data.roles.id"]),
        ({"b": "old * 2"}, ["received old, excluded", "data.exclude"]),
        ({"b": "aa * 2"}, ["received aa", "did you mean 'a'?"]),
        ({"b": "a +"}, ["features.derived.b, character"]),
    ],
)
def test_what_cannot_be_derived_is_refused(texts, told):
    with pytest.raises(ConfigError) as caught:
        derived(**texts)
    for part in told:
        assert part in str(caught.value)


def test_functions_are_columns_too(own_package):
    code.allow([own_package])
    config = DerivedConfig.model_validate(
        {"derived": {"c": "mine * 2"}, "functions": {"mine": {"function": f"{own_package}.features:score",
                                                              "columns": ["a", "b"]},
                                                     "b": {"function": f"{own_package}.features:as_numpy",
                                                           "columns": "a"}}}
    )  # fmt: skip
    schema = with_derived(SCHEMA, config)
    assert [column.name for column in schema.derived] == ["b", "mine", "c"]
    assert schema["mine"].code.dotted == f"{own_package}.features:score"
    assert Schema.from_dict(schema.to_dict()) == schema


def test_functions_name_columns_that_they_may_use(own_package):
    for column, told in {"aa": "did you mean 'a'?", "y": "received y, the target"}.items():
        config = DerivedConfig.model_validate({"functions": {"f": {"function": "m:g", "columns": [column]}}})
        with pytest.raises(ConfigError, match=r"features\.functions\.f") as caught:
            with_derived(SCHEMA, config)
        assert told in str(caught.value)


def test_functions_that_are_not_allowed_are_refused(own_package):
    config = DerivedConfig.model_validate(
        {"functions": {"f": {"function": f"{own_package}.features:score", "columns": "a"}}}
    )
    with pytest.raises(CodeError, match=rf"features\.functions\.f.*--allow-code {own_package}"):
        with_derived(SCHEMA, config)


def test_a_column_is_made_once():
    with pytest.raises(ValueError, match="not both: f"):
        DerivedConfig.model_validate({"derived": {"f": "a"}, "functions": {"f": {"function": "m:g", "columns": "a"}}})
