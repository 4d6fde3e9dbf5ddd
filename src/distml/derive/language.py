"""Expressions over columns: a small part of Python's grammar, typed before any row is seen, then run on whole columns.

`compile_expression` walks the tree that Python's parser makes of a text, knows each node that it meets, and refuses
every other by its place; nothing of the text is ever run as Python.

    total_rooms / households        cross(sex, race)        weekday(when) >= 5 and hour(when) < 9
    price if sold == "yes" else None        floor(age / 10)        col("hours-per-week") > 40
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, reduce

import numpy as np

from distml.config.base import Kind
from distml.derive.functions import DATE, FUNCTIONS, NUMBER, OPERATORS, TRUTH, Function, both, either, negated
from distml.derive.text import ALLOWED, ExpressionText, named_by_col
from distml.derive.values import Value, null_of
from distml.errors import did_you_mean

Run = Callable[[Mapping[str, Value]], Value]
_ARITHMETIC = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**"
}  # fmt: skip
_COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_WORDS = {"numeric": "a number", "boolean": "a truth value", "categorical": "a text", "datetime": "a date"}


@dataclass(frozen=True)
class Program:
    """An expression, typed: the kind of its result, the columns that it reads, and how it is computed from those."""

    kind: Kind
    columns: tuple[str, ...]
    run: Run


@dataclass(frozen=True)
class _Typed:
    """A part of an expression. kind None: the constant None, whose kind is that of what stands beside it."""

    kind: Kind | None
    run: Run
    text: str | None = None  # of a text that is written out


def compile_expression(text: str, kinds: Mapping[str, Kind], place: str = "an expression") -> Program:
    """The program that an expression is, over columns of some kinds. place: what errors call it.

    Raises `ConfigError` that says what is wrong, at which character of the text, and what is allowed there.

    >>> compile_expression("floor(age / 10) >= 3", {"age": "numeric"}).kind
    'boolean'
    """
    return _compiled(text, place, tuple(kinds.items()))


@lru_cache(maxsize=4096)
def _compiled(text: str, place: str, kinds: tuple[tuple[str, Kind], ...]) -> Program:
    expression = ExpressionText(text, place)
    compiler = _Compiler(expression, dict(kinds))
    typed, names = compiler.typed(expression.tree), expression.names()
    if not names:
        expression.refuse(expression.tree, "an expression uses at least one column", text, compiler.known())
    return Program(typed.kind or "numeric", names, typed.run)


class _Compiler:
    """One method for each kind of node, `of_name` and so on; a node without one is refused."""

    def __init__(self, expression: ExpressionText, kinds: Mapping[str, Kind]) -> None:
        self._expression = expression
        self._refuse = expression.refuse
        self._source = expression.source
        self._kinds = kinds

    def typed(self, node: ast.AST) -> _Typed:
        method = getattr(self, f"of_{type(node).__name__.lower()}", self._unknown)
        return method(node)

    def known(self) -> str:
        return f"columns: {', '.join(list(self._kinds)[:40])}"

    def of_name(self, node: ast.Name) -> _Typed:
        return self._column(node, node.id)

    def of_constant(self, node: ast.Constant) -> _Typed:
        value = node.value
        if value is None:
            return _Typed(None, lambda columns: null_of("numeric"))
        if isinstance(value, bool):
            return _constant(Value("boolean", np.float64(value)))
        if isinstance(value, str):
            return _constant(Value("categorical", value), value)
        if not isinstance(value, (int, float)):
            return self._unknown(node)
        if not abs(value) <= sys.float_info.max:
            self._refuse(node, "a number lies within the range of a 64-bit float", self._source(node))
        return _constant(Value("numeric", np.float64(value)))

    def of_binop(self, node: ast.BinOp) -> _Typed:
        sign = _ARITHMETIC.get(type(node.op))
        if sign is None:
            return self._unknown(node)
        left, right = self.typed(node.left), self.typed(node.right)
        if sign == "-" and "datetime" in (left.kind, right.kind):
            return self._called(FUNCTIONS["seconds_between"], node, [node.right, node.left])
        return _apply(
            "numeric",
            OPERATORS[sign],
            self._as(left, NUMBER, node.left, sign),
            self._as(right, NUMBER, node.right, sign),
        )

    def of_unaryop(self, node: ast.UnaryOp) -> _Typed:
        operand = self.typed(node.operand)
        if isinstance(node.op, ast.Not):
            return _apply("boolean", negated, self._as(operand, TRUTH, node.operand, "not"))
        if isinstance(node.op, ast.Invert):
            self._refuse(node, "an expression holds only what it may", self._source(node), "write `not`")
        factor = _constant(Value("numeric", np.float64(-1 if isinstance(node.op, ast.USub) else 1)))
        return _apply("numeric", OPERATORS["*"], factor, self._as(operand, NUMBER, node.operand, "a sign"))

    def of_boolop(self, node: ast.BoolOp) -> _Typed:
        is_and = isinstance(node.op, ast.And)
        parts = [self._as(self.typed(part), TRUTH, part, "and" if is_and else "or") for part in node.values]
        return _folded(both if is_and else either, parts)

    def of_compare(self, node: ast.Compare) -> _Typed:
        nodes = [node.left, *node.comparators]
        return _folded(both, [self._compared(*pair) for pair in zip(node.ops, nodes, nodes[1:], strict=False)])

    def of_ifexp(self, node: ast.IfExp) -> _Typed:
        return self._called(FUNCTIONS["where"], node, [node.test, node.body, node.orelse])

    def of_call(self, node: ast.Call) -> _Typed:
        rule, all_of_them = "what is called is a function of the language", f"functions: {', '.join(FUNCTIONS)}, col"
        if not isinstance(node.func, ast.Name):
            self._refuse(node.func, rule, self._source(node.func), all_of_them)
        name = node.func.id
        if name == "col":
            column = named_by_col(node)
            if column is None:
                self._refuse(node, "col is given one column's name", self._source(node), 'col("its name")')
            return self._column(node, column)
        if name not in FUNCTIONS:
            near = did_you_mean(name, list(FUNCTIONS))
            self._refuse(node, rule, name, f"did you mean {near!r}?" if near else all_of_them)
        if node.keywords:
            self._refuse(node, "arguments are given in order", self._source(node), FUNCTIONS[name].usage)
        return self._called(FUNCTIONS[name], node, node.args)

    def _unknown(self, node: ast.AST) -> _Typed:
        self._refuse(node, "an expression holds only what it may", self._source(node), f"allowed: {ALLOWED}")

    def _column(self, node: ast.AST, name: str) -> _Typed:
        if name not in self._kinds:
            self._refuse(node, "an expression names columns that it may use", name, self._hint(name))
        if self._kinds[name] not in _WORDS:
            received = f"{name}, {self._kinds[name]}"
            self._refuse(node, "an expression is made of numbers, texts, truth values and dates", received)
        return _Typed(self._kinds[name], lambda columns: columns[name])

    def _hint(self, name: str) -> str:
        if name in FUNCTIONS:
            return f"a function is called: {FUNCTIONS[name].usage}"
        if name in ("true", "false", "null"):
            return "truth values and the missing one are written True, False and None"
        around = [known for known in self._kinds if not known.isidentifier() and name in known]
        near = did_you_mean(name, list(self._kinds)) or next(iter(around), None)
        if near is None:
            return self.known()
        return f"did you mean {near!r}?" if near.isidentifier() else f'did you mean col("{near}")?'

    def _compared(self, operator: ast.cmpop, left: ast.expr, right: ast.expr) -> _Typed:
        if isinstance(operator, (ast.In, ast.NotIn)):
            return self._among(left, right, isinstance(operator, ast.NotIn))
        sign = _COMPARISONS.get(type(operator))
        parts = [self.typed(left), self.typed(right)]
        if sign is None or any(part.kind is None for part in parts):
            self._refuse(right, "values are compared by < <= > >= == != in, and nothing with None",
                         self._source(right), "isnull(a) tells what is missing")  # fmt: skip
        a, b = self._shared(parts, [left, right], sign)
        if a.kind == "categorical" and sign not in ("==", "!="):
            self._refuse(right, "texts are compared by == != in", sign, "length(a) and lower(a) say something of them")
        compared = _apply("boolean", OPERATORS["==" if sign == "!=" else sign], a, b)
        return _apply("boolean", negated, compared) if sign == "!=" else compared

    def _among(self, left: ast.expr, right: ast.expr, is_not: bool) -> _Typed:
        if not isinstance(right, (ast.Tuple, ast.List, ast.Set)) or not right.elts:
            self._refuse(right, "`in` is followed by values in brackets", self._source(right), 'a in ("x", "y")')
        found = _folded(either, [self._compared(ast.Eq(), left, one) for one in right.elts])
        return _apply("boolean", negated, found) if is_not else found

    def _called(self, function: Function, node: ast.AST, arguments: Sequence[ast.expr]) -> _Typed:
        least = len(function.takes)
        if len(arguments) < least or (len(arguments) > least and not function.is_open):
            wanted = f"{'at least ' if function.is_open else ''}{least} argument{'s' if least > 1 else ''}"
            self._refuse(node, f"{function.usage} is given {wanted}", f"{len(arguments)}")
        takes = [*function.takes, *[function.takes[-1]] * (len(arguments) - least)]
        typed = [self.typed(argument) for argument in arguments]
        kind = function.gives
        if kind is None:
            first = next(i for i, kinds in enumerate(takes) if len(kinds) == len(_WORDS))
            typed[first:] = self._shared(typed[first:], arguments[first:], function.usage)
            kind = typed[first].kind
        parts = zip(typed, takes, arguments, strict=True)
        return _apply(kind or "numeric", function.run, *(self._as(*part, function.usage) for part in parts))

    def _shared(self, typed: Sequence[_Typed], nodes: Sequence[ast.expr], what: str) -> list[_Typed]:
        """Parts that must be of one kind: truths beside numbers are 1 and 0, texts beside dates dates."""
        kinds = {one.kind for one in typed if one.kind is not None}
        wanted: Kind | None
        if len(kinds) == 1 or not kinds:
            wanted = next(iter(kinds), "numeric")
        else:
            wanted = "datetime" if kinds == {"datetime", "categorical"} else "numeric" if kinds == set(NUMBER) else None
        if wanted is None:
            odd = next(i for i, one in enumerate(typed) if one.kind not in (None, typed[0].kind))
            received = ", ".join(
                f"{self._source(n)} {_WORDS[t.kind]}" for n, t in zip(nodes, typed, strict=True) if t.kind
            )
            self._refuse(nodes[odd], f"{what} takes values of one kind", received, _RETYPE)
        takes: tuple[Kind, ...] = NUMBER if wanted == "numeric" else (wanted,)
        parts = [self._as(one, takes, node, what) for one, node in zip(typed, nodes, strict=True)]
        return [_apply("numeric", _as_number, part) if wanted != part.kind else part for part in parts]

    def _as(self, typed: _Typed, kinds: tuple[Kind, ...], node: ast.AST, what: str) -> _Typed:
        """A part where one of some kinds is wanted; a text of a date is one."""
        if typed.kind is None:
            return _constant(null_of(kinds[0]))
        if typed.kind in kinds:
            return typed
        if kinds == DATE and typed.text is not None:
            return _constant(self._date(node, typed.text))
        wanted = " or ".join(_WORDS[kind] for kind in kinds)
        return self._refuse(node, f"{what} takes {wanted}", f"{self._source(node)}, {_WORDS[typed.kind]}", _RETYPE)

    def _date(self, node: ast.AST, text: str) -> Value:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self._refuse(node, "a date is written as ISO 8601 does", repr(text), "2024-12-31, or 2024-12-31T23:59:00")
        naive = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
        return Value("datetime", np.datetime64(naive, "us"))


_RETYPE = "data.kinds declares what a column is"


def _constant(value: Value, text: str | None = None) -> _Typed:
    return _Typed(value.kind, lambda columns: value, text)


def _apply(kind: Kind, function: Callable[..., Value], *parts: _Typed) -> _Typed:
    runs = [part.run for part in parts]
    return _Typed(kind, lambda columns: function(*[run(columns) for run in runs]))


def _folded(function: Callable[[Value, Value], Value], parts: Sequence[_Typed]) -> _Typed:
    return parts[0] if len(parts) == 1 else _apply("boolean", lambda *values: reduce(function, values), *parts)


def _as_number(value: Value) -> Value:
    return Value("numeric", value.data, value.lost)
