"""Which columns a config derives: of what, in which order, of which kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from distml import code
from distml.config.derived import DerivedConfig, FunctionConfig
from distml.derive import own
from distml.derive.language import compile_expression
from distml.derive.made import place_of
from distml.derive.text import ExpressionText
from distml.errors import ConfigError, did_you_mean
from distml.schema import Column, Dtype, Schema

_DTYPES: dict[str, Dtype] = {"numeric": "number", "boolean": "boolean", "datetime": "datetime"}
_USABLE = ("feature", "time")
_BARRED = {
    "target": ("the target", "the target isn't known when a row is predicted: leave it out"),
    "id": ("an id", "an id says which row it is, not what it is like: take it out of data.roles.id to use it"),
    "excluded": ("excluded", "take it out of data.exclude to use it"),
}


@dataclass(frozen=True)
class _Definition:
    """What makes a column: an expression or a function, and the columns that it names."""

    made_by: ExpressionText | FunctionConfig
    uses: tuple[str, ...]


def with_derived(schema: Schema, config: DerivedConfig) -> Schema:
    """The schema with the columns that a config derives, each after those that it is made from.

    A derived column is private if one that it is made from is. The time column may be used, and is then asked of rows
    to predict. Raises `ConfigError` that names expression and character, `CodeError` as `code.load` does.
    """
    waiting = _definitions(config)
    for name in waiting:
        if name in schema:
            raise ConfigError(
                "a derived column has a name that no column of the table has", received=name,
                where=_place(name, waiting), remedy="call it otherwise; the table's own is left as it is",
            )  # fmt: skip
    for name, definition in waiting.items():
        for used in definition.uses:
            _check_role(name, definition, used, schema)
    columns = list(schema.columns)
    while waiting:
        ready = next((name for name, one in waiting.items() if not set(one.uses) & set(waiting)), None)
        if ready is None:
            raise _circle(waiting)
        usable = {column.name: column for column in columns if column.role in _USABLE}
        columns.append(_column(ready, waiting.pop(ready), usable))
    return Schema(tuple(columns))


def source_hashes(config: DerivedConfig) -> list[str]:
    """What the functions that a config names are at present; errors as `code.load`."""
    return [code.load(one.function, own.place_of(name))[1].source_hash for name, one in config.functions.items()]


def _definitions(config: DerivedConfig) -> dict[str, _Definition]:
    found: dict[str, _Definition] = {}
    for name, text in config.derived.items():
        expression = ExpressionText(text, place_of(name))
        found[name] = _Definition(expression, expression.names())
    return found | {name: _Definition(one, one.columns) for name, one in config.functions.items()}


def _check_role(name: str, definition: _Definition, used: str, schema: Schema) -> None:
    role = schema[used].role if used in schema else "feature"
    if role in _USABLE:
        return
    what, remedy = _BARRED.get(role, (f"the {role}", f"the {role} isn't known when a row is predicted: leave it out"))
    rule, received = "a derived column is made of what is known of a row to predict", f"{used}, {what}"
    if isinstance(definition.made_by, ExpressionText):
        definition.made_by.refuse_name(used, rule, received, remedy)
    raise ConfigError(rule, received=received, where=own.place_of(name), remedy=remedy)


def _column(name: str, definition: _Definition, usable: Mapping[str, Column]) -> Column:
    ref, made_by = None, definition.made_by
    if isinstance(made_by, ExpressionText):
        kinds = {known: column.kind for known, column in usable.items()}
        kind, text = compile_expression(made_by.text, kinds, made_by.place).kind, made_by.text
    else:
        _check_used(name, made_by, usable)
        kind, text = made_by.kind, made_by.function
        ref = code.load(made_by.function, own.place_of(name))[1]
    return Column(
        name=name, kind=kind, dtype=_DTYPES.get(kind, "string"), derived=text, uses=definition.uses, code=ref,
        private=any(usable[used].private for used in definition.uses),
    )  # fmt: skip


def _check_used(name: str, function: FunctionConfig, usable: Mapping[str, Column]) -> None:
    for used in function.columns:
        if used not in usable:
            near = did_you_mean(used, list(usable))
            remedy = f"did you mean {near!r}?" if near else f"columns: {', '.join(list(usable)[:40])}"
            raise ConfigError(
                "a function is called with columns that it may use", received=used,
                where=f"{own.place_of(name)}.columns", remedy=remedy,
            )  # fmt: skip


def _circle(waiting: Mapping[str, _Definition]) -> ConfigError:
    path = [next(iter(waiting))]
    while path.count(path[-1]) < 2:
        path.append(next(used for used in waiting[path[-1]].uses if used in waiting))
    circle = path[path.index(path[-1]) :]
    return ConfigError(
        "derived columns are not made of each other in a circle", received=" → ".join(circle),
        where=_place(circle[0], waiting), remedy="write one of them with columns of the table",
    )  # fmt: skip


def _place(name: str, definitions: Mapping[str, _Definition]) -> str:
    is_text = isinstance(definitions[name].made_by, ExpressionText)
    return place_of(name) if is_text else own.place_of(name)
