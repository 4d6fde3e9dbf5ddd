"""Expressions: what they compute, what they refuse, and that nothing of their text is run as Python."""

from __future__ import annotations

import ast
import math
import warnings
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distml.derive.functions import FUNCTIONS
from distml.derive.language import compile_expression
from distml.derive.text import MAX_DEPTH, MAX_LENGTH
from distml.derive.values import read, write
from distml.errors import ConfigError
from distml.schema import Column

COLUMNS: dict[str, tuple[str, list[Any]]] = {
    "a": ("numeric", [1.0, 2.0, None, 4.0]),
    "b": ("numeric", [0.0, 1.0, 1.0, 0.0]),
    "s": ("categorical", ["x", None, "Y", "zz"]),
    "t": ("boolean", ["true", "false", None, "true"]),
    "d": ("datetime", ["2024-02-29T13:05", None, "1969-12-31", "2000-01-01"]),
    "hours-per-week": ("numeric", [40.0, 20.0, 10.0, 0.5]),
}
KINDS = {name: kind for name, (kind, _) in COLUMNS.items()}
TYPES = {"numeric": pa.float64(), "datetime": pa.timestamp("us")}


def arrays(columns: dict[str, tuple[str, list[Any]]] = COLUMNS) -> dict[str, Any]:
    return {
        name: pa.array(values, pa.string()).cast(TYPES[kind]) if kind == "datetime" else pa.array(
            values, TYPES.get(kind, pa.string()))
        for name, (kind, values) in columns.items()
    }  # fmt: skip


def computed(text: str, columns: dict[str, tuple[str, list[Any]]] = COLUMNS) -> tuple[list[Any], list[bool]]:
    """The values of an expression over the columns, and where there was no finite result."""
    kinds = {name: kind for name, (kind, _) in columns.items()}
    program = compile_expression(text, kinds)
    given = {name: read(Column(name=name, kind=kinds[name], dtype="string"), a) for name, a in arrays(columns).items()}
    n = len(next(iter(columns.values()))[1])
    value = program.run(given)
    assert value.kind == program.kind
    return write(value, n).to_pylist(), np.broadcast_to(value.lost, n).tolist()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a + b * 2", [1, 4, None, 4]),
        ("-a ** 2", [-1, -4, None, -16]),
        ("+a", [1, 2, None, 4]),
        ("7 // a % 2", [1, 1, None, 1]),
        ('col("hours-per-week") > 15', ["true", "true", "false", "false"]),
        ("1 < a <= 4", ["false", "true", None, "true"]),
        ("a == 2 or b == 0", ["true", "true", None, "true"]),
        ("t and b > 5", ["false", "false", "false", "false"]),
        ("not t", ["false", "true", None, "false"]),
        ("t + t", [2, 0, None, 2]),
        ("s == 'x'", ["true", None, "false", "false"]),
        ("s != 'x'", ["false", None, "true", "true"]),
        ("s in ('x', 'zz')", ["true", None, "false", "true"]),
        ("s not in ['x']", ["false", None, "true", "true"]),
        ("isnull(s)", ["false", "true", "false", "false"]),
        ("coalesce(s, '?')", ["x", "?", "Y", "zz"]),
        ("coalesce(a, b, 9)", [1, 2, 1, 4]),
        ("where(t, a, b)", [1, 1, None, 4]),
        ("where(t, 5, t)", [5, 0, None, 5]),
        ("a if s == 'x' else None", [1, None, None, None]),
        ("'lo' if a < 2 else 'hi'", ["lo", "hi", None, "hi"]),
        ("min(a, b, 3)", [0, 1, None, 0]),
        ("max(a, 2)", [2, 2, None, 4]),
        ("clip(a, 2, 3)", [2, 2, None, 3]),
        ("abs(b - 1)", [1, 0, 0, 1]),
        ("floor(a / 2)", [0, 1, None, 2]),
        ("sqrt(a)", [1, math.sqrt(2), None, 2]),
        ("log1p(exp(b) - 1)", [0, 1, 1, 0]),
        ("lower(s)", ["x", None, "y", "zz"]),
        ("length(s)", [1, None, 1, 2]),
        ("cross(s, t)", ["x & true", None, None, "zz & true"]),
        ("cross(b, a)", ["0 & 1", "1 & 2", None, "0 & 4"]),
        ("concat(s, '-', a / 8)", ["x-0.125", None, None, "zz-0.5"]),
        ("year(d)", [2024, None, 1969, 2000]),
        ("month(d)", [2, None, 12, 1]),
        ("day(d)", [29, None, 31, 1]),
        ("hour(d)", [13, None, 0, 0]),
        ("weekday(d)", [3, None, 2, 5]),
        ("d >= '2000-01-01'", ["true", None, "false", "true"]),
        ("d - '2000-01-01T00:00:00+00:00'", [762527100, None, -86400 * 10958, 0]),
        ("seconds_between('2000-01-01', d) / 86400", [8825.545138888889, None, -10958, 0]),
    ],
)
def test_computes(text, wanted):
    values, lost = computed(text)
    assert values == pytest.approx(wanted) if isinstance(wanted[0], (int, float)) else values == wanted
    assert not any(lost)


@pytest.mark.parametrize(
    ("text", "wanted", "lost"),
    [
        ("a / b", [None, 2, None, None], [True, False, False, True]),
        ("log(b)", [None, 0, 0, None], [True, False, False, True]),
        ("exp(a * 1000)", [None, None, None, None], [True, True, False, True]),
        ("(0 - a) ** 0.5", [None, None, None, None], [True, True, False, True]),
        ("a / b > 1", [None, "true", None, None], [True, False, False, True]),
        ("where(b == 0, 0, a / b)", [0, 2, None, 0], [False] * 4),
        ("coalesce(a / b, -1)", [-1, 2, -1, -1], [False] * 4),
        ("a / b > 1 or t", ["true", "true", None, "true"], [False] * 4),
        ("cross(s, a / b)", [None, None, None, None], [True, False, False, True]),
    ],
)
def test_a_result_that_is_not_finite_is_missing_and_marked_where_it_counts(text, wanted, lost):
    assert computed(text) == (wanted, lost)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a +", ["can be read", "character"]),
        ("if(a > 1, 2, 3)", ["write where(condition, then, otherwise)"]),
        ("aa + 1", ["received aa", "character 1 of 'aa + 1'", "did you mean 'a'?"]),
        ("'é' == s and sx", ["received sx", "character 14", "did you mean 's'?"]),
        ("hours > 1", ['did you mean col("hours-per-week")?']),
        ("flor(a)", ["received flor", "did you mean 'floor'?"]),
        ("year", ["a function is called: year(date)"]),
        ("t == true", ["written True, False and None"]),
        ("s + 1", ["+ takes a number or a truth value", "received s, a text"]),
        ("s < 'a'", ["texts are compared by == != in"]),
        ("not a", ["not takes a truth value"]),
        ("a == None", ["isnull(a)"]),
        ("a is None", ["isnull(a)"]),
        ("coalesce(a, s)", ["values of one kind", "a a number, s a text"]),
        ("log(a, b)", ["log(number) is given 1 argument; received 2"]),
        ("min(a)", ["at least 2 arguments"]),
        ("log(x=a)", ["in order"]),
        ("col(a)", ["col is given one column's name"]),
        ("d > 'soon'", ["a date is written as ISO 8601 does", "received 'soon'"]),
        ("1 + 2", ["uses at least one column"]),
        ("1e999 * a", ["range of a 64-bit float"]),
        (f"{10**400} * a", ["range of a 64-bit float"]),
        ("a; b", ["can be read"]),
        ("", ["can be read"]),
        ("a\0", ["can be read"]),
        ("a" * (MAX_LENGTH + 1), ["at most 2,000 characters"]),
        ("-" * (MAX_DEPTH + 1) + "a", ["nested at most 100 deep"]),
        ("(" * 900 + "a" + ")" * 900, ["can be read"]),
    ],
)
def test_refuses_naming_place_and_remedy(text, told):
    with pytest.raises(ConfigError) as caught:
        compile_expression(text, KINDS, "features.derived.x")
    assert "features.derived.x, character " in str(caught.value)
    for part in told:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "a.real", "a.__class__", "s.upper()", "().__class__.__bases__", "__import__('os')", "eval('a')", "print(a)",
        "[x for x in s]", "(x for x in s)", "lambda: a", "a[0]", "f'{a}'", "(b := a)", "await a", "*a", "log(*a)",
        "{a: b}", "{a}", "(a, b)", "a @ b", "a | b", "~t", "1j * a", "b'x' == s", "...", "(lambda: a)()",
        "a if a.real else b", "min(a, b.__class__)", "col('a').real", "FUNCTIONS", "np", "columns",
    ],
)  # fmt: skip
def test_what_the_language_does_not_have_is_refused(text):
    with pytest.raises(ConfigError):
        compile_expression(text, KINDS)


_ALLOWED_NODES = (
    ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call, ast.Name, ast.Constant, ast.Load, ast.Tuple,
    ast.List, ast.Set, ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip
_PIECES = st.sampled_from(
    ["a", "b", "s", "t", "d", "os", "__class__", ".", ".real", "(", ")", "[", "]", "{", "}", ",", ":", ":=", "lambda",
     "for", "in", "if", "else", "and", "or", "not", "is", "await", "yield", "import", "*", "**", "+", "-", "/", "//",
     "%", "@", "~", "<", "==", "!=", "1", "2.5", "1j", "'x'", "b'x'", "f'{a}'", "None", "True", "...", "log", "min",
     "where", "coalesce", "cross", "col", "eval", "print", "getattr", " "]
)  # fmt: skip


@given(st.lists(_PIECES, min_size=1, max_size=12).map(" ".join) | st.text(max_size=30))
def test_whatever_is_written_only_known_nodes_columns_and_functions_pass(text):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        try:
            program = compile_expression(text, KINDS)
        except ConfigError:
            return
        tree = ast.parse(text.strip(), mode="eval").body
    assert set(program.columns) <= set(KINDS)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        assert isinstance(node, _ALLOWED_NODES), ast.dump(node)
        if isinstance(node, ast.Name):
            assert node.id in ({*FUNCTIONS, "col"} if id(node) in called else KINDS)


_NUMBERS = st.floats(-100, 100).map(lambda number: round(number, 3))
_OPERATORS = st.sampled_from(["+", "-", "*", "/", "//", "%"])


@st.composite
def arithmetic(draw: st.DrawFn) -> str:
    """Numbers, signs, brackets and operators, as they come."""
    parts = [draw(st.sampled_from(["x", "y", "(x - y)", "-x", "-(y + 1)", "2 * y", "x ** 2", "-x ** 2", "2.5"]))]
    for _ in range(draw(st.integers(1, 5))):
        parts += [draw(_OPERATORS), draw(st.sampled_from(["x", "y", "-y", "(x + 1)", "3", "y ** 2"]))]
    return " ".join(parts)


@given(text=arithmetic().filter(lambda text: "x" in text or "y" in text), x=_NUMBERS, y=_NUMBERS)
def test_numbers_mean_what_they_mean_in_python(text, x, y):
    try:
        wanted = eval(text, {"__builtins__": {}}, {"x": x, "y": y})
    except ZeroDivisionError:
        wanted = None
    values, lost = computed(text, {"x": ("numeric", [x]), "y": ("numeric", [y])})
    if wanted is None:
        assert (values, lost) == ([None], [True])
    else:
        assert values == [pytest.approx(wanted, rel=1e-12, abs=1e-12)]
        assert lost == [False]


@given(
    st.lists(st.tuples(*[st.none() | st.booleans()] * 2), min_size=1, max_size=8),
    st.sampled_from(["p and q", "p or q", "not p", "not (p and q) == (not p or not q)"]),
)
def test_truth_values_are_kleenes(rows, text):
    columns = {name: ("boolean", [None if v is None else str(v).lower() for v in values])
               for name, values in zip("pq", zip(*rows, strict=True), strict=True)}  # fmt: skip
    values = computed(text, columns)[0]
    for (p, q), value in zip(rows, values, strict=True):
        known = {None: [True, False], True: [True], False: [False]}
        outcomes = {eval(text, {}, {"p": x, "q": y}) for x in known[p] for y in known[q]}
        if "==" not in text:
            assert value == (str(outcomes.pop()).lower() if len(outcomes) == 1 else None)


@pytest.mark.parametrize(
    "text",
    ["log(abs(x) + 1)", "exp(x / 50)", "sqrt(abs(y))", "x ** 3 / (y + 0.1)", "log1p(abs(x * y))", "x % 7 // 2",
     "cross(floor(x), y > 0)", "where(x > y, x, y)"],
)  # fmt: skip
def test_a_row_alone_has_the_bits_that_it_has_among_thousands(text):
    rng = np.random.default_rng(0)
    columns = {name: ("numeric", rng.normal(0, 30, 1003).tolist()) for name in "xy"}
    whole = computed(text, columns)[0]
    alone = [computed(text, {name: (kind, [values[i]]) for name, (kind, values) in columns.items()})[0][0]
             for i in range(0, 1003, 7)]  # fmt: skip
    assert alone == whole[::7]


def test_texts_may_be_coded():
    column = Column(name="s", kind="categorical", dtype="string")
    coded = pa.array(["x", None, "y", "x"]).dictionary_encode()
    value = compile_expression("concat(s, '!')", {"s": "categorical"}).run({"s": read(column, coded)})
    assert write(value, 4).to_pylist() == ["x!", None, "y!", "x!"]


@pytest.mark.parametrize("text", ["a / b", "lower(s)", "isnull(d)", "t and a > 1", "cross(s, a)", "d > '2020-01-01'"])
def test_no_rows_are_no_values(text):
    columns = {name: (kind, []) for name, (kind, _) in COLUMNS.items()}
    assert computed(text, columns) == ([], [])
