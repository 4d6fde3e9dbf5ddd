"""The rules of `validate` that a run keeps to: those that fail or drop, and a written schema's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from distml.clean import RowCleaner
from distml.config import RunConfig
from distml.config.clean import RuleConfig
from distml.data.engine import Engine
from distml.errors import DataError
from distml.inspection.inspect import inspect
from distml.inspection.observation import Observation
from distml.inspection.suspect import Suspect
from distml.inspection.view import View
from distml.inspection.written import WrittenSchema, read_schema, rules_of, suspect_schema


def has_rules(config: RunConfig) -> bool:
    """Whether some rule of `validate` that only an inspection can check fails or drops."""
    rules = config.validation
    plain = ("leakage", "tokens", "types", "impossible", "spelling", "constant", "ids", "rare", "keys", "layout",
             "stretches")  # fmt: skip
    actions = [getattr(rules, name) for name in plain]
    actions += [rules.outliers.action, rules.imbalance.action, rules.drift.action]
    return rules.schema_file is not None or any(action in ("fail", "drop") for action in actions)


def enforce(config: RunConfig, cleaner: RowCleaner, engine: Engine) -> RunConfig:
    """The config with what the rules of `validate` leave out of it. Reads the table once more if there are any.

    Raises `DataError` for the first of what they don't let pass.
    """
    if not has_rules(config):
        return config
    found = inspect(config, cleaner, engine, schema_rules(config))
    if found.refused:
        raise as_error(found.refused[0], len(found.refused) - 1)
    dropped = [seen.column for seen in found.observations if (seen.kind, seen.action) == ("leakage", "drop")]
    if not dropped:
        return config
    exclude = (*config.data.exclude, *(name for name in dropped if name is not None))
    return config.model_copy(update={"data": config.data.model_copy(update={"exclude": exclude})})


def with_schema(config: RunConfig) -> RunConfig:
    """The config with its written schema's bounds as rules of cleaning, where it has none of its own."""
    path = config.validation.schema_file
    if path is None:
        return config
    rules = {name: RuleConfig.model_validate(rule) for name, rule in rules_of(read_schema(path)).items()}
    kept = {name: rule for name, rule in rules.items() if name not in config.data.exclude}
    clean = config.clean.model_copy(update={"rules": {**kept, **config.clean.rules}})
    return config.model_copy(update={"clean": clean})


def as_error(seen: Observation, num_more: int = 0) -> DataError:
    """A refused observation as the error that a run ends with."""
    place = seen.examples[0].place if seen.examples else None
    more = f" ({num_more} more rules are broken; distml validate shows all)" if num_more else ""
    where = ", ".join(part for part in (place, f"column {seen.column}" if seen.column else None) if part)
    return DataError(f"{seen.rule}{more}", received=f"{seen.count:,} rows: {seen.told}" if seen.told else seen.count,
                     where=where or None, remedy=seen.remedy)  # fmt: skip


def schema_rules(config: RunConfig) -> Callable[[View], Iterable[Suspect]]:
    """What an inspection suspects by the config's written schema."""
    path = config.validation.schema_file
    return _nothing if path is None else partial(_by_schema, read_schema(path))


def _by_schema(schema: WrittenSchema, view: View) -> Iterable[Suspect]:
    return suspect_schema(view, schema)


def _nothing(view: View) -> Iterable[Suspect]:
    return ()


def schema_content(config: RunConfig) -> list[Any]:
    """What of a written schema a stage's key depends on: its text; nothing where there is none."""
    path = config.validation.schema_file
    if path is None:
        return []
    read_schema(path)  # raises where it is none
    return [Path(path).read_text("utf-8")]
