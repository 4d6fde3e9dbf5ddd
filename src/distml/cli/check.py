"""Commands that look before anything is run: validate, plan, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distml.cli.doctor import doctor
from distml.cli.options import Config, Json, Overrides
from distml.cli.output import begin, result, say
from distml.cli.plan import plan
from distml.wording import numbered

if TYPE_CHECKING:
    from distml.inspection.page import Group
    from distml.lifecycle.validate import Validation

_WORDS = {"fail": "refused", "high": "grave", "medium": "doubtful", "low": "to know"}
_WIDTH = 110


def register(app: typer.Typer) -> None:
    app.command()(validate)
    app.command()(plan)
    app.command()(doctor)


def validate(
    config: Config,
    overrides: Overrides = [],  # noqa: B006
    html: Annotated[Path | None, typer.Option("--html", help="the profile's file; else below storage")] = None,
    write_schema: Annotated[Path | None, typer.Option("--write-schema", help="writes the schema to a file")] = None,
    json: Json = False,
) -> None:
    """Config and data, no training: every finding, the worst first, with its rows; and a page of every column."""
    begin(json)
    import tempfile

    from distml.config import load_config, with_absolute_paths
    from distml.data import LocalEngine
    from distml.inspection.written import describe, to_yaml
    from distml.lifecycle.preflight import check_choices, check_config
    from distml.lifecycle.validate import validate as validate_tables
    from distml.storage import Storage

    loaded = with_absolute_paths(load_config(config, overrides))
    check_config(loaded)
    with tempfile.TemporaryDirectory(prefix="distml-") as folder:
        found = validate_tables(loaded, Storage(folder), LocalEngine())
    if found.prepared is not None:
        check_choices(loaded, found.prepared)
    page = str(html.absolute()) if html else f"{loaded.storage.rstrip('/')}/profiles/{loaded.name}.html"
    _write(page, found.page())
    document = {**found.to_dict(), "html": page, "schema": None if write_schema is None else str(write_schema)}
    if write_schema is not None:
        _write(str(write_schema.absolute()), to_yaml(describe(found.inspection)))
    result(document, told(found, page))
    if write_schema is not None:
        say(f"the schema is in {write_schema}: read it, and name it in the config by `validate: {{schema: …}}`")
    if found.is_refused:
        raise typer.Exit(2)


def _write(uri: str, text: str) -> None:
    from distml.storage import Storage

    folder, _, name = uri.rpartition("/")
    Storage(folder or "/").write_bytes(name, text.encode())


def told(found: Validation, page: str) -> str:
    """What was found as people read it."""
    from distml.inspection.page import grouped

    view, target = found.inspection.source, found.inspection.target
    task = f"{target.task} " if target is not None else ""
    rows = f"{view.num_raw:,} rows read"
    if found.prepared is not None:
        rows = ", ".join(f"{count:,} {split}" for split, count in found.prepared.num_rows.items()) + " rows"
    lines = [f"{found.name}: {task}target {view.target.name!r}; {rows}", ""]
    groups = grouped(found.observations)
    for level, word in _WORDS.items():
        chosen = [group for group in groups if group.first.level == level]
        if chosen:
            lines += [f"{word} ({sum(len(group.seen) for group in chosen)})"]
            lines += [line for group in chosen for line in _lines(group)]
            lines += [""]
    lines += [] if groups else ["nothing to remark", ""]
    if found.done:
        lines += ["what a run does by itself", *(line for group in grouped(found.done) for line in _lines(group)), ""]
    if any(example.row is not None for seen in found.observations for example in seen.examples):
        lines += ["Counts are exact; a row is given as file:row, counted from 0 in each file.", ""]
    return "\n".join([*lines, f"profile: {page}"])


def _lines(group: Group) -> list[str]:
    """A group's lines: columns and counts, what was seen, examples, remedy."""
    import textwrap

    seen = group.first
    nobody = "the test table" if seen.table == "test" else "the table"
    names = [f"{item.column or nobody}" + ("" if group.is_even else f" {item.count:,}") for item in group.seen]
    head = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    count = _count(group) if group.is_even else ""
    where = " of the test table" if seen.table == "test" and seen.column else ""
    texts = [f"{seen.told or seen.rule}{f' [{seen.action}]' if seen.action != 'warn' else ''}"]
    shown = [f"{example.place}{f' {example.value}' if example.value else ''}" for example in seen.examples[:3]]
    texts += ["at " + "; ".join(shown)] if shown else []
    texts += [f"→ {remedy}" for remedy in group.remedies[:4]]
    lines = textwrap.wrap(f"{head}{where}{count}", _WIDTH, initial_indent="  ", subsequent_indent="    ")
    for text in texts:
        lines += textwrap.wrap(text, _WIDTH, initial_indent="      ", subsequent_indent="        ",
                               break_long_words=False, break_on_hyphens=False)  # fmt: skip
    return lines


def _count(group: Group) -> str:
    """How many rows or files each of a group's columns is told of; nothing where it is all or none in particular."""
    seen = group.first
    is_of_all = seen.share is None or seen.share >= 1
    is_of_none = seen.kind == "unreadable" or (is_of_all and not seen.examples)
    if is_of_none and seen.kind not in ("prepared", "schema_change"):
        return ""
    share = "" if is_of_all or seen.share is None or seen.unit == "file" else f", {_percent(seen.share)}"
    return f": {numbered(seen.count, seen.unit)}{' each' if len(group.seen) > 1 else ''}{share}"


def _percent(share: float) -> str:
    from distml.inspection.page import percent

    return percent(share)
