"""The command init: from a table to a commented run config."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distml.cli.options import Json
from distml.cli.output import begin, result

if TYPE_CHECKING:
    from distml.config import RunConfig
    from distml.proposal.propose import Proposal


def register(app: typer.Typer) -> None:
    app.command()(init)


def init(
    table: Annotated[str, typer.Argument(help="file, glob, folder or sklearn:NAME", metavar="TABLE")],
    target: Annotated[str, typer.Option("--target", help="the column to predict: its name, or its place from 1")],
    out: Annotated[Path | None, typer.Option("--out", help="the config's path; else TABLE's name, .yaml")] = None,
    test: Annotated[str | None, typer.Option("--test", help="a test table of its own", metavar="TABLE")] = None,
    columns: Annotated[str | None, typer.Option("--columns", help="names of a table's columns: a,b,c")] = None,
    force: Annotated[bool, typer.Option("--force", help="write over a file that is there")] = False,
    json: Json = False,
) -> None:
    """Looks at a table and writes a commented run config: task, roles, kinds, missing tokens, suspected leaks."""
    begin(json)
    from dataclasses import replace

    from distml.config import parse_config
    from distml.proposal.draft import draft
    from distml.proposal.propose import name_of, propose
    from distml.storage import Storage

    path = out or Path(f"{name_of(table)}.yaml")
    _refuse_overwriting(path, force)
    names = None if columns is None else [name.strip() for name in columns.split(",")]
    # Named as its file, so that the configs of two targets of one table are two models.
    proposal = replace(propose(table, target, columns=names, test=test), name=name_of(path.name))
    text = draft(proposal, str(path))
    _check(parse_config(text, where=str(path)))
    Storage(path.parent).write_bytes(path.name, text.encode())
    result({**proposal.to_dict(), "config": str(path)}, _summary(proposal, path))


def _check(config: RunConfig) -> None:
    """Nothing is written that a run would refuse at once, but for lines that the config has a comment about."""
    from distml.inspection.scan import tolerant
    from distml.lifecycle.preflight import check_config

    source = tolerant(config.data.source)
    check_config(config.model_copy(update={"data": config.data.model_copy(update={"source": source})}))


def _refuse_overwriting(path: Path, force: bool) -> None:
    from distml.errors import UsageError

    if path.is_dir() or (path.exists() and not force):
        raise UsageError(
            "init writes a new file",
            received=f"{path} is there already",
            where="--out",
            remedy="name a file" if path.is_dir() else "add --force to write over it, or give --out another name",
        )


def _summary(proposal: Proposal, path: Path) -> str:
    """What was found, a line each; the config has the reasons."""
    data, tokens = proposal.data, proposal.tokens
    left_out = {str(remark.column) for remark in (*proposal.columns.useless, *proposal.leaks.certain)}
    found = {
        "task": f"{data.task}, target {data.target}" + (f", positive {data.positive!r}" if data.positive else ""),
        "missing": ", ".join(
            map(repr, [*tokens.missing, *(text for texts in tokens.replaced.values() for text in texts)])
        ),
        "ids": ", ".join(data.roles.id),
        "time": data.roles.time or "",
        "split": data.roles.split or "",
        "ragged": proposal.ragged,
        "files aligned": ", ".join(proposal.aligned),
        "kinds": ", ".join(f"{name} {kind}" for name, kind in data.kinds.items()),
        "leaks": ", ".join(proposal.leaks.columns),
        "maybe leaks": ", ".join(f"{remark.column} (kept)" for remark in proposal.leaks.likely),
        "excluded": ", ".join(name for name in data.exclude if name in left_out),
        "files left out": ", ".join(proposal.left_out),
        "remarks": str(len(proposal.remarks)) if proposal.remarks else "",
    }
    width = max(map(len, found))
    lines = [f"  {key.ljust(width)}  {text}" for key, text in found.items() if text]
    rows = f"{proposal.num_rows:,} rows" + ("" if proposal.is_whole else ", a sample")
    head = f"{path}: a run config for {data.source.uri} ({rows})"
    return "\n".join([head, *lines, f"Read it, then: distml validate {path}"])
