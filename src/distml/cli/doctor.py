"""The command doctor: is all there that distml needs, and what to do where it isn't."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distml.cli.options import Json, Overrides
from distml.cli.output import begin, result

if TYPE_CHECKING:
    from distml.lifecycle.doctor import Check, Examined

OptionalConfig = Annotated[
    Path | None, typer.Argument(help="a run config, whose storage, tracking and port are looked at", metavar="CONFIG")
]
Storage = Annotated[
    str | None,
    typer.Option("--storage", envvar="DISTML_STORAGE", help="where runs and models are kept, over the config's"),
]


def doctor(
    config: OptionalConfig = None,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Versions, storage, tracking, GPUs, memory, disks, ports and authentication on every node, with remedies."""
    begin(json)
    from dataclasses import asdict

    from distml.config import load_config
    from distml.errors import UsageError
    from distml.lifecycle.doctor import Question, examine, worst

    if config is None and overrides:
        raise UsageError("-s changes a config", received=f"-s {overrides[0]} and no config", remedy="name the config")
    loaded = None if config is None else load_config(config, overrides)
    examined = examine(Question.of(loaded, storage))
    state = worst(examined.checks)
    document = {
        "state": state,
        "address": examined.address,
        "nodes": sorted({check.node for check in examined.checks if check.node}),
        "checks": [asdict(check) for check in examined.checks],
    }
    result(document, _text(examined))
    if state == "fail":
        raise typer.Exit(1)


def _text(examined: Examined) -> str:
    """Findings of one kind together; of those that are ok on every node, one line."""
    several = len({check.node for check in examined.checks if check.node}) > 1
    names = list(dict.fromkeys(check.name for check in examined.checks))
    width = max(len(name) for name in names) + 2
    lines = []
    for name in names:
        checks = [check for check in examined.checks if check.name == name]
        fine = [check for check in checks if check.state == "ok"]
        if fine:
            lines.append(f"ok    {name:<{width}}{_together(fine, several)}")
        for check in checks:
            if check.state != "ok":
                lines += [
                    f"{check.state:<6}{name:<{width}}{_placed(check, several)}",
                    f"{'':<{width + 6}}→ {check.remedy}",
                ]
    states = [check.state for check in examined.checks]
    where = "this machine" if examined.address is None else f"the cluster at {examined.address}"
    return "\n".join(
        [*lines, "", f"{where}: " + ", ".join(f"{states.count(state)} {state}" for state in ("ok", "warn", "fail"))]
    )


def _together(checks: list[Check], several: bool) -> str:
    found = {check.found for check in checks}
    if len(checks) == 1:
        return _placed(checks[0], several)
    return f"{len(checks)} nodes: {found.pop()}" if len(found) == 1 else f"{len(checks)} nodes"


def _placed(check: Check, several: bool) -> str:
    return f"{check.node}: {check.found}" if check.node is not None and several else check.found
