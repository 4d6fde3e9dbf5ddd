"""How a run deals its rows to splits: as its config says, or by the cuts of a version that it inherits them from."""

from __future__ import annotations

from dataclasses import dataclass

from distml.clean import Finding
from distml.config import RunConfig
from distml.data.dealing import Dealing
from distml.data.split import SplitPlan
from distml.errors import DataError, did_you_mean
from distml.registry import StoreRegistry, resolve
from distml.schema import Schema
from distml.storage import Storage


def dealing_of(config: RunConfig, schema: Schema) -> Dealing:
    """The order that the rows of a table of this schema are dealt in.

    Raises `DataError` where the split needs a column that isn't there, or classes where there are none.
    """
    split, seed = config.split, config.seed
    kind = split.kind
    if kind == "auto":
        if config.data.roles.split is not None:
            kind = "predefined"
        else:
            kind = "random" if schema.target.kind == "numeric" else "stratified"
    if kind == "random":
        return Dealing(kind="random", seed=seed)
    if kind == "stratified":
        _refuse_numbers(schema)
        return Dealing(kind="stratified", seed=seed, column=schema.target.name)
    if kind == "group":
        return Dealing(kind="group", seed=seed, column=_column(split.column, "split.column", schema))
    if kind == "time":
        column = split.column or config.data.roles.time
        if schema[_column(column, "split.column", schema)].kind not in ("datetime", "numeric"):
            raise DataError(
                "a split by time goes by dates or numbers",
                received=f"column {column} is {schema[str(column)].kind}",
                where="split.column",
                remedy=f"declare data.kinds.{column}: datetime, and write it as ISO dates",
            )
        return Dealing(kind="time", seed=seed, column=column)
    column = _column(config.data.roles.split, "data.roles.split", schema)
    values = split.values
    return Dealing(
        kind="predefined", seed=seed, column=column, values=dict(values.by_value), missing=values.missing
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Inherited:
    """The plan recorded with a version, and what is to be said of dealing another table by it."""

    plan: SplitPlan
    findings: tuple[Finding, ...] = ()


def inherited_plan(config: RunConfig, dealing: Dealing, schema: Schema, storage: Storage) -> Inherited | None:
    """What `split.inherit` names.

    Raises `DataError` where rows were dealt in another way then.
    """
    if config.split.inherit is None:
        return None
    version = resolve(StoreRegistry(storage), config.split.inherit)
    manifest = storage.read_json(f"{version.package}/manifest.json")
    plan = SplitPlan.from_dict(manifest["lineage"]["split"])
    then = (plan.dealing.kind, plan.dealing.column)
    if then != (dealing.kind, dealing.column):
        raise DataError(
            "inherited cuts are of the same kind of split",
            received=f"{_described(dealing)}; {version.label} was split {_described(plan.dealing)}",
            where="split.inherit",
            remedy="leave split.inherit out, or set split.kind as it was then",
        )
    if dealing.kind in ("random", "stratified"):
        return Inherited(plan=plan, findings=_renaming(schema, Schema.from_dict(manifest["schema"]), version.label))
    return Inherited(plan=plan)


def hashed_columns(schema: Schema) -> dict[str, tuple[str, bool]]:
    """What a row's hash depends on but its values: columns, their kinds, and whether they are left out."""
    hashed = (column for column in schema.columns if column.derived is None)
    return {column.name: (column.kind, column.role == "excluded") for column in hashed}


def _renaming(schema: Schema, before: Schema, label: str) -> tuple[Finding, ...]:
    """Rows of other columns are called otherwise, and dealt anew."""
    changed = sorted(dict(set(hashed_columns(schema).items()) ^ set(hashed_columns(before).items())))
    if not changed:
        return ()
    rule = f"a table that inherits the split of {label} has its columns, or former test rows may be training rows"
    remedy = f"other than then: {', '.join(changed[:10])}"
    return (Finding(rule=rule, column=None, count=len(changed), action="warn", remedy=remedy),)


def _described(dealing: Dealing) -> str:
    return dealing.kind if dealing.column is None else f"{dealing.kind} by {dealing.column}"


def _refuse_numbers(schema: Schema) -> None:
    if schema.target.kind == "numeric":
        raise DataError(
            "a stratified split needs a target of classes",
            received=f"{schema.target.name} is numeric",
            where="split.kind",
            remedy="set split.kind: random",
        )


def _column(name: str | None, where: str, schema: Schema) -> str:
    names = [column.name for column in schema.kept]
    if name is None:
        raise DataError(
            "a split by time or as predefined names its column", where=where,
            remedy="name the column in split.column, data.roles.time or data.roles.split",
        )  # fmt: skip
    if name not in names:
        near = did_you_mean(name, names)
        raise DataError(
            "a split goes by a column of the table that isn't excluded", received=name, where=where,
            remedy=f"did you mean {near!r}?" if near else f"its columns: {', '.join(names[:40])}",
        )  # fmt: skip
    return name
