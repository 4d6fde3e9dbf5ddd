from datetime import UTC, date, datetime, time
from decimal import Decimal

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.clean import MAX_EXAMPLES, Finding, RowCleaner, as_text, merge_findings
from distml.config import CleanConfig, SourceConfig
from distml.errors import DataError
from distml.schema import Column, Schema
from tables import cleaner_of, column_cleaner, raw_table

NAN, INF = float("nan"), float("inf")


def decoded(table: pa.Table) -> pa.Table:
    kinds = [field.type.value_type if pa.types.is_dictionary(field.type) else field.type for field in table.schema]
    return table.cast(pa.schema(list(zip(table.column_names, kinds, strict=True))))


def cleaned(cleaner: RowCleaner, values: pa.Array | list):
    """Cleaned value by value, after a check that word by word it comes to the same."""
    table = pa.table({"x": values})
    plain, coded = cleaner.apply(table), cleaner.apply(table, coded=True)
    assert decoded(coded.table).equals(plain.table)
    assert coded.findings == plain.findings
    assert coded.kept.tolist() == plain.kept.tolist()
    rows = np.arange(table.num_rows)
    assert coded.reasons(rows) == plain.reasons(rows)
    return plain


def column(cleaner: RowCleaner, values: pa.Array | list) -> list:
    return cleaned(cleaner, values).table.column("x").to_pylist()


def found(cleaner: RowCleaner, values: pa.Array | list) -> list[tuple[str, int, str]]:
    return [(f.rule, f.count, f.action) for f in cleaned(cleaner, values).findings]


# Types


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (["1", "-2.5", None, "1e3"], [1.0, -2.5, None, 1000.0]),
        (pa.array(["1", "2"], pa.large_string()), [1.0, 2.0]),
        (pa.array(["1", "2"], pa.string_view()), [1.0, 2.0]),
        (pa.array(["1", "2", "1"]).dictionary_encode(), [1.0, 2.0, 1.0]),
        ([1, None], [1.0, None]),
        (pa.array([3], pa.uint8()), [3.0]),
        ([2**53 + 1], [2.0**53]),
        ([True, False], [1.0, 0.0]),
        ([Decimal("1.50")], [1.5]),
        (pa.nulls(2), [None, None]),
        (["nan", "NaN", "-nan", "1"], [None, None, None, 1.0]),
        ([NAN, 1.0], [None, 1.0]),
        ([], []),
    ],
)
def test_numbers(values, wanted):
    values = values if isinstance(values, pa.Array) else pa.array(values, None if values else pa.string())
    assert column(column_cleaner("numeric"), values) == wanted


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (["a", "ü", None], ["a", "ü", None]),
        ([3, None], ["3", None]),
        ([3.0, 2.5, None, NAN], ["3", "2.5", None, None]),
        ([1e-5, 1e17, 123456789012345.6, 1.5e-7], ["1e-05", "100000000000000000", "123456789012345.6", "1.5e-07"]),
        (pa.array([0.1], pa.float32()), ["0.1"]),
        ([Decimal("1.00"), Decimal("1.50")], ["1", "1.5"]),
        ([True, None], ["true", None]),
        (["True", "no"], ["True", "no"]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        (pa.array([3.0, 4.5]).dictionary_encode(), ["3", "4.5"]),
        (pa.nulls(2), [None, None]),
        ([b"a"], ["a"]),
    ],
)
def test_categories(values, wanted):
    assert column(column_cleaner("categorical"), values) == wanted


@given(
    st.lists(st.one_of(st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), st.booleans()))
)
def test_a_category_is_written_as_a_request_writes_it(values):
    for value in values:
        assert column(column_cleaner("categorical"), [value]) == [as_text(value)]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (["True", "FALSE", "true", None], ["true", "false", "true", None]),
        (["1", "0"], ["true", "false"]),
        ([1, 0], ["true", "false"]),
        ([1.0, None], ["true", None]),
        ([True, False], ["true", "false"]),
    ],
)
def test_truth_values(values, wanted):
    assert column(column_cleaner("boolean"), values) == wanted


def test_a_class_of_truth_values_is_written_one_way():
    cleaner = column_cleaner("categorical", dtype="boolean")
    assert column(cleaner, ["True", "false", "maybe"]) == ["true", "false", "maybe"]


DAY = datetime(2020, 1, 2)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (["2020-01-02", "2020-01-02 03:04", "2020-01-02T03:04:05.678"],
         [DAY, datetime(2020, 1, 2, 3, 4), datetime(2020, 1, 2, 3, 4, 5, 678000)]),
        (["2020-01-02T00:00:00Z", "2020-01-02T02:00:00+02:00", "2020-01-02"], [DAY, DAY, DAY]),
        (["1500-01-01", "2020-01-02T00:00:00Z"], [datetime(1500, 1, 1), DAY]),
        (["2020-01-02T00:00:00.000000999"], [DAY]),
        ([date(2020, 1, 2), None], [DAY, None]),
        ([datetime(2020, 1, 2, tzinfo=UTC)], [DAY]),
        (pa.array([DAY], pa.timestamp("s")), [DAY]),
        (pa.array([1], pa.timestamp("ns")), [datetime(1970, 1, 1)]),
        (pa.nulls(1), [None]),
    ],
)  # fmt: skip
def test_dates(values, wanted):
    assert column(column_cleaner("datetime"), values) == wanted


@pytest.mark.parametrize(
    ("kind", "values", "wrong"),
    [
        ("numeric", ["1", "x", None, "none", "0x1F"], [1, 3, 4]),
        ("numeric", [DAY], [0]),
        ("numeric", [[1.0], None], [0]),
        ("numeric", pa.array([time(1)]), [0]),
        ("boolean", ["true", "yes", None, "2"], [1, 3]),
        ("boolean", [0.5, 1.0], [0]),
        ("datetime", ["2020-01-02", "soon", None, "2020-13-01"], [1, 3]),
        ("datetime", [2020, None], [0]),
        ("datetime", [1.5], [0]),
        ("datetime", pa.array([time(1), None]), [0]),
        ("categorical", [[1], None], [0]),
        ("categorical", [b"\xff", b"a"], [0, 1]),
    ],
)
def test_a_value_of_another_type_fails_its_row(kind, values, wrong):
    result = cleaned(column_cleaner(kind), values)
    assert np.flatnonzero(~result.kept).tolist() == wrong
    (finding,) = result.findings
    assert (finding.count, finding.action) == (len(wrong), "fail")
    assert finding.rule.startswith(f"a {kind} column holds ")
    assert [row for row, _ in finding.examples] == wrong
    with pytest.raises(DataError, match="column holds") as caught:
        result.raise_failures("rows.csv")
    assert caught.value.where == f"rows.csv, row {wrong[0]}, column x"
    assert "data.kinds.x: categorical" in caught.value.remedy


def test_infinite_numbers_become_missing():
    cleaner = column_cleaner("numeric")
    assert column(cleaner, [1.0, INF, -INF, NAN]) == [1.0, None, None, None]
    assert found(cleaner, [1.0, INF, -INF, NAN]) == [("numbers are finite", 2, "null")]
    assert column(cleaner, ["1e400", "inf"]) == [None, None]


# Repairs


@pytest.mark.parametrize("kind", ["categorical", "numeric"])
def test_white_space_is_stripped_and_counted(kind):
    cleaner = column_cleaner(kind)
    assert column(cleaner, [" 1", "2\t", "3", None]) == column(cleaner, ["1", "2", "3", None])
    assert found(cleaner, [" 1", "2\t", "3", None]) == [("no white space around texts", 2, "replace")]


def test_white_space_stays_where_stripping_is_off():
    cleaner = column_cleaner("categorical", clean={"strip": False}, missing=("", "?"))
    assert column(cleaner, [" a", " ?", "?"]) == [" a", " ?", None]


@pytest.mark.parametrize("kind", ["categorical", "numeric", "datetime", "boolean"])
def test_missing_tokens_become_missing(kind):
    cleaner = column_cleaner(kind, missing=("", "?", "NA"))
    assert column(cleaner, ["?", " NA ", "", None, "  "]) == [None] * 5
    assert found(cleaner, ["?", "NA", "", None, "?"]) == [
        ("missing token ''", 1, "null"),
        ("missing token '?'", 2, "null"),
        ("missing token 'NA'", 1, "null"),
    ]


def test_missing_tokens_are_texts_only():
    assert column(column_cleaner("numeric", missing=("", "9")), [9, 8]) == [9.0, 8.0]


@pytest.mark.parametrize(
    ("kind", "pairs", "values", "wanted"),
    [
        ("categorical", {"a": "b", "c": None}, ["a", " a", "c", "d", None], ["b", "b", None, "d", None]),
        ("categorical", {1: "one"}, ["1", "2"], ["one", "2"]),
        ("categorical", {-1: "never"}, [-1, 2], ["never", "2"]),
        ("categorical", {True: "yes"}, [True, False], ["yes", "false"]),
        ("boolean", {"yes": True, "no": False}, ["yes", "no", "True"], ["true", "false", "true"]),
        ("numeric", {"n/a": 0, 99: None}, ["n/a", "99", "99.0", "1"], [0.0, None, None, 1.0]),
        ("numeric", {99: None, 1: 2.5}, [99, 1, 3], [None, 2.5, 3.0]),
        ("numeric", {"99": 1}, [99.0, 3.0], [1.0, 3.0]),
        ("numeric", {"x": 1}, [99.0], [99.0]),
        ("datetime", {"never": None, "first": "2020-01-02"}, ["never", "first"], [None, DAY]),
        ("categorical", {"a": "x"}, pa.array(["a", "b"]).dictionary_encode(), ["x", "b"]),
    ],
)
def test_replacements(kind, pairs, values, wanted):
    assert column(column_cleaner(kind, clean={"replace": {"x": pairs}}), values) == wanted


def test_replacements_are_counted():
    cleaner = column_cleaner("categorical", clean={"replace": {"x": {"a": "b", "z": None}}})
    assert found(cleaner, ["a", "a", "c"]) == [("'a' is written 'b'", 2, "replace")]


@pytest.mark.parametrize(
    ("kind", "pairs"),
    [
        ("categorical", {"a": "b", "b": "c"}),
        ("categorical", {"a": "b", "b": "a"}),
        ("categorical", {"a": "b", "b": None}),
        ("categorical", {"a": "?"}),
        ("categorical", {"a": ""}),
        ("categorical", {"a": " b "}),
        ("numeric", {1: 2, 2: 3}),
        ("numeric", {"2": 3, 1: 2}),
    ],
)
def test_a_replacement_that_another_cleaning_would_change_is_refused(kind, pairs):
    with pytest.raises(DataError, match="when it is cleaned again") as caught:
        column_cleaner(kind, clean={"replace": {"x": pairs}}, missing=("", "?"))
    assert caught.value.where == "clean.replace.x"


@pytest.mark.parametrize("new", ["many", True])
def test_a_number_is_replaced_by_a_number(new):
    with pytest.raises(DataError, match="replaced by a number or null") as caught:
        column_cleaner("numeric", clean={"replace": {"x": {-1: new}}})
    assert caught.value.received == f"-1: {new!r}"


# Rules


@pytest.mark.parametrize(
    ("action", "wanted", "kept"),
    [
        ("drop", [1.0, None, 3.0], [True, True, False, False, True]),
        ("quarantine", [1.0, None, 3.0], [True, True, False, False, True]),
        ("fail", [1.0, None, 3.0], [True, True, False, False, True]),
        ("null", [1.0, None, None, None, 3.0], [True] * 5),
        ("clip", [1.0, None, 1.0, 3.0, 3.0], [True] * 5),
    ],
)
def test_bounds_are_inclusive_and_missing_values_pass(action, wanted, kept):
    cleaner = column_cleaner("numeric", clean={"rules": {"x": {"min": 1, "max": 3, "on_violation": action}}})
    result = cleaned(cleaner, [1.0, None, 0.5, 4.0, 3.0])
    assert result.table.column("x").to_pylist() == wanted
    assert result.kept.tolist() == kept
    assert [(f.rule, f.count, f.action, f.examples) for f in result.findings] == [
        ("at least 1", 1, action, ((2, "0.5"),)),
        ("at most 3", 1, action, ((3, "4.0"),)),
    ]
    aside = result.quarantined
    assert aside.tolist() == ([2, 3] if action == "quarantine" else [])
    assert result.reasons(aside) == (["x: at least 1", "x: at most 3"] if action == "quarantine" else [])


@pytest.mark.parametrize(
    ("kind", "rule", "values", "broken"),
    [
        ("numeric", {"min": 1}, [0, 1, 2], [0]),
        ("numeric", {"max": 1}, [0, 1, 2], [2]),
        ("numeric", {"allowed": [1, 2.5]}, [1.0, 2.5, 3.0, None], [2]),
        ("categorical", {"allowed": ["a", 3]}, ["a", "3", "b", None], [2]),
        ("categorical", {"allowed": [3]}, [3.0, 4.0], [1]),
        ("boolean", {"allowed": [True]}, ["True", "false", None], [1]),
        ("datetime", {"min": 86400}, [date(1970, 1, 1), date(1970, 1, 2), None], [0]),
        ("numeric", {"min": 1234567.5}, [1234567.25, 1234567.5], [0]),
    ],
)
def test_a_rule_breaks_at_its_bound(kind, rule, values, broken):
    cleaner = column_cleaner(kind, clean={"rules": {"x": {**rule, "on_violation": "drop"}}})
    assert np.flatnonzero(~cleaned(cleaner, values).kept).tolist() == broken


def test_a_bound_is_quoted_whole():
    cleaner = column_cleaner("numeric", clean={"rules": {"x": {"min": 1234567.5, "on_violation": "drop"}}})
    assert found(cleaner, [0])[0][0] == "at least 1234567.5"


@pytest.mark.parametrize(
    ("kind", "rule", "message"),
    [
        ("categorical", {"min": 1}, "min and max are for numbers"),
        ("boolean", {"max": 1}, "min and max are for numbers"),
        ("datetime", {"allowed": ["2020-01-01"]}, "allowed is for numbers and categories"),
        ("numeric", {"allowed": [1, "a"]}, "allowed values of a numeric column are numbers"),
        ("numeric", {"allowed": [True]}, "allowed values of a numeric column are numbers"),
    ],
)
def test_a_rule_that_does_not_suit_its_column_is_refused(kind, rule, message):
    with pytest.raises(DataError, match=message) as caught:
        column_cleaner(kind, clean={"rules": {"x": rule}})
    assert caught.value.where == "clean.rules.x"


@pytest.mark.parametrize("section", [{"replace": {"z": {"a": "b"}}}, {"rules": {"z": {"min": 1}}}])
def test_a_section_for_a_column_that_is_not_there_is_refused(section):
    with pytest.raises(DataError, match="names a column of the table") as caught:
        column_cleaner("numeric", clean=section)
    assert (caught.value.received, caught.value.remedy) == ("z", "columns: x")


# Findings


def test_examples_are_the_first_rows_that_break_a_rule():
    values = ["1", *["bad"] * (MAX_EXAMPLES + 3), "2"]
    (finding,) = cleaned(column_cleaner("numeric"), values).findings
    assert finding.count == MAX_EXAMPLES + 3
    assert finding.examples == tuple((row, "'bad'") for row in range(1, MAX_EXAMPLES + 1))


def test_examples_are_found_across_chunks():
    chunked = pa.chunked_array([["1", "2"], ["x"], ["3", "y"]])
    (finding,) = cleaned(column_cleaner("numeric"), chunked).findings
    assert finding.examples == ((2, "'x'"), (4, "'y'"))


def test_examples_are_shortened():
    (finding,) = cleaned(column_cleaner("numeric"), ["x" * 100]).findings
    assert finding.examples[0][1] == "'" + "x" * 56 + "..."


@pytest.mark.parametrize(
    ("clean", "values"),
    [({}, ["secret"]), ({"rules": {"x": {"max": 3, "on_violation": "quarantine"}}}, ["41"]), ({}, [" 41"])],
)
def test_private_values_are_not_shown(clean, values):
    result = cleaned(column_cleaner("numeric", private=True, clean=clean), values)
    assert [f.examples for f in result.findings] == [((0, "(private)"),)]
    assert "41" not in repr((result.findings, result.broken))
    assert "secret" not in repr((result.findings, result.broken))


def test_findings_are_placed_within_a_table():
    finding = Finding(rule="r", column="x", count=2, action="drop", examples=((0, "a"), (3, "b")))
    placed = finding.placed("test", 10)
    assert (placed.table, placed.examples, placed.count) == ("test", ((10, "a"), (13, "b")), 2)


def test_merged_findings_add_up_and_keep_the_first_examples():
    def finding(rows, **changes):
        examples = tuple((row, str(row)) for row in rows)
        return Finding(
            **{"rule": "r", "column": "x", "count": len(rows), "action": "drop", "examples": examples} | changes
        )

    merged = merge_findings(
        [finding([7, 8, 9]), finding([1, 2, 3, 4]), finding([5], action="null"), finding([6], table="test")]
    )
    assert [(f.count, f.action, f.table, [row for row, _ in f.examples]) for f in merged] == [
        (7, "drop", None, [1, 2, 3, 4, 7]),
        (1, "drop", "test", [6]),
        (1, "null", None, [5]),  # what costs a row comes before what costs a value
    ]
    assert merge_findings([]) == []


# Whole tables


def test_columns_outside_the_schema_are_left_out_and_counted():
    table = raw_table(10).append_column("extra", pa.array(range(10)))
    result = cleaner_of(raw_table()).apply(table)
    assert "extra" not in result.table.column_names
    assert [(f.column, f.count, f.action) for f in result.findings] == [("extra", 10, "ignore")]


def test_a_column_that_is_absent_is_refused():
    with pytest.raises(DataError) as caught:
        cleaner_of(raw_table()).apply(raw_table().drop_columns(["size", "at"]))
    assert caught.value.received == "no column size, at"


def test_only_the_roles_asked_for_are_cleaned():
    cleaner = cleaner_of(raw_table(), roles={"id": "count"}, exclude="size")
    features = raw_table().select(["at", "color", "flag", "value"])
    assert cleaner.apply(features, roles=("feature",)).table.column_names == ["color", "flag", "at", "value"]
    assert "size" not in cleaner.apply(raw_table()).table.column_names


def test_rows_of_several_columns_are_kept_only_if_all_are():
    schema = Schema(tuple(Column(name=name, kind="numeric", dtype="integer") for name in "ab"))
    rules = {"rules": {"a": {"min": 0, "on_violation": "drop"}, "b": {"max": 9, "on_violation": "quarantine"}}}
    cleaner = RowCleaner.from_config(schema, SourceConfig(uri="m"), CleanConfig.model_validate(rules))
    result = cleaner.apply(pa.table({"a": [1, -1, 2, -2], "b": [1, 2, 10, 11]}))
    assert result.kept.tolist() == [True, False, False, False]
    assert result.quarantined.tolist() == [2, 3]
    assert result.reasons(result.quarantined, "quarantine") == ["b: at most 9"] * 2
    assert result.table.to_pydict() == {"a": [1.0], "b": [1.0]}


def test_every_action_that_is_not_a_failure_raises_nothing():
    rules = {"rules": {"x": {"min": 0, "on_violation": "drop"}}}
    result = cleaned(column_cleaner("numeric", clean=rules), [-1])
    result.raise_failures("rows")
    assert [finding.action for finding in result.findings] == ["drop"]


CLEANERS = {
    "defaults": {},
    "everything": {
        "clean": {
            "replace": {"color": {"blue": "azure", "green": None}, "count": {3: 30}},
            "rules": {
                "size": {"min": -1, "max": 1, "on_violation": "clip"},
                "count": {"max": 5, "on_violation": "null"},
                "color": {"allowed": ["red", "azure"], "on_violation": "drop"},
                "at": {"min": 1.71e9, "on_violation": "clip"},
            },
        },
        "roles": {"id": "value"},
        "private": "color",
    },
}


@pytest.mark.parametrize("values", CLEANERS.values(), ids=CLEANERS)
def test_cleaning_cleaned_rows_changes_nothing(values):
    cleaner = cleaner_of(raw_table(), **values)
    once = cleaner.apply(raw_table(300, seed=1))
    twice = cleaner.apply(once.table)
    assert twice.table.equals(once.table)
    assert twice.kept.all()
    assert [f for f in twice.findings if f.action != "null"] == []


@pytest.mark.parametrize("values", CLEANERS.values(), ids=CLEANERS)
def test_round_trips_through_json(values):
    cleaner = cleaner_of(raw_table(), **values)
    copy = RowCleaner.from_dict(orjson.loads(orjson.dumps(cleaner.to_dict())))
    assert copy == cleaner
    table = raw_table(300, seed=1)
    assert copy.apply(table).table.equals(cleaner.apply(table).table)


@pytest.mark.parametrize("values", CLEANERS.values(), ids=CLEANERS)
@given(size=st.integers(1, 40), start=st.integers(0, 100))
def test_a_row_is_cleaned_alike_alone_and_among_others(values, size, start):
    cleaner = cleaner_of(raw_table(), **values)
    table = raw_table(140, seed=2)
    whole = cleaner.apply(table)
    part = cleaner.apply(table.slice(start, size))
    assert part.kept.tolist() == whole.kept[start : start + size].tolist()
    before = int(whole.kept[:start].sum())
    assert part.table.equals(whole.table.slice(before, part.table.num_rows))


def test_tidying_keeps_types_and_codes():
    cleaner = RowCleaner(schema=Schema(()), missing=("", "?"), replace={"x": {"a": "b", 1: 2}})
    assert cleaner.tidy("x", pa.chunked_array([[" a", "?"], [None]])).to_pylist() == ["b", None, None]
    assert cleaner.tidy("x", pa.array([1, 3])).to_pylist() == [2, 3]
    coded = cleaner.tidy("x", pa.array(["a ", "?", "c"]).dictionary_encode())
    assert pa.types.is_dictionary(coded.type)
    assert coded.to_pylist() == ["b", None, "c"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (3.0, "3"),
        (-0.0, "0"),
        (2.5, "2.5"),
        (1e17, "1" + "0" * 17),
        ("x", "x"),
    ],
)
def test_as_text(value, text):
    assert as_text(value) == text


WORDS = st.lists(st.one_of(st.none(), st.sampled_from(["a", " a", "b ", "?", "", "TRUE", "c"])), max_size=20)


@given(WORDS, st.sampled_from(["drop", "null", "quarantine", "fail"]), st.integers(0, 20))
def test_words_that_lie_in_no_row_are_not_found(words, action, start):
    rule = {"allowed": ["a", "b"], "on_violation": action}
    clean = {"replace": {"x": {"b": "a"}}, "rules": {"x": rule}}
    cleaner = column_cleaner("categorical", missing=("", "?"), clean=clean)
    values = pa.array(words, pa.string()).dictionary_encode().slice(start)
    cleaned(cleaner, values)
    assert found(cleaner, values) == found(cleaner, values.cast(pa.string()))


@pytest.mark.parametrize("dtype", ["integer", "number"])
def test_categories_named_by_numbers_are_the_same_whichever_way_a_file_writes_them(dtype):
    cleaner = column_cleaner("categorical", dtype=dtype)
    written = ["3", "3.0", " 3.00", "-3.0", "2.5", "3.05", "007", "v3.0", None]
    assert column(cleaner, written) == ["3", "3", "3", "-3", "2.5", "3.05", "007", "v3.0", None]
    assert column(column_cleaner("categorical", dtype="string"), ["3.0"]) == ["3.0"]


def test_identifiers_keep_all_their_digits():
    large = [2**60 + 1, 2**60 + 2]
    cleaner = column_cleaner("categorical", dtype="integer")
    assert column(cleaner, pa.array(large)) == list(map(str, large))
    assert column(cleaner, pa.array(large).cast(pa.decimal128(38, 0))) == list(map(str, large))
    assert column(cleaner, pa.array([1.5, 2, None], pa.float16())) == ["1.5", "2", None]


def test_texts_of_times_with_a_zone_are_in_utc():
    cleaner = column_cleaner("datetime", dtype="datetime")
    midnight = datetime(2020, 1, 1)
    assert column(cleaner, ["2020-01-01T00:00:00Z", "2020-01-01 02:00:00+02:00"]) == [midnight, midnight]
    assert column(cleaner, ["2020-01-01T00:00:00Z", "2020-01-01", None]) == [midnight, midnight, None]
