"""`--address`: a command carried out as a job on a Ray cluster, with the result that it would have here."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distml.cli.output import begin, result, say

if TYPE_CHECKING:
    from distml.cluster.submit import Cluster

Address = Annotated[
    str | None,
    typer.Option("--address", envvar="DISTML_ADDRESS", help="http://HEAD:8265: as a job on that Ray cluster"),
]
_HERE = ("config", "overrides", "json", "detach")  # parameters whose work is done on the workstation
_PATHS = ("storage", "source", "out", "data")  # those that name files


def remotable(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option --address more."""

    @functools.wraps(command)
    def wrapped(ctx: typer.Context, *, address: str | None = None, **params: Any) -> None:
        if address is None:
            command(**params)
        else:
            begin(params["json"])
            _submit(ctx, address, params)

    known = inspect.signature(command)
    kinds = {**typing.get_type_hints(command, include_extras=True), "ctx": typer.Context, "address": Address}
    parameters = [
        inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context),
        *(known.parameters[name].replace(annotation=kinds[name]) for name in known.parameters),
        inspect.Parameter("address", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Address),
    ]
    wrapped.__signature__ = known.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = kinds
    return wrapped


def _submit(ctx: typer.Context, address: str, params: dict[str, Any]) -> None:
    from distml.cluster.submit import CONFIG_VARIABLE, Cluster
    from distml.config import load_config, with_absolute_paths

    storage, config = params.get("storage"), None
    arguments = [ctx.info_name or "", *_arguments(ctx, params)]
    if "config" in params and params["config"] is not None:
        config = with_absolute_paths(load_config(params["config"], params.get("overrides", ())))
        storage = config.storage
        arguments.insert(1, f"env:{CONFIG_VARIABLE}")
    elif "overrides" in params:
        arguments += [part for override in params["overrides"] for part in ("-s", override)]
    cluster = Cluster(address)
    for note in cluster.preflight(_absolute(storage) if storage is not None else None):
        say(f"distml: {note}")
    job = cluster.submit(arguments, config, Path.cwd())
    say(f"distml: job {job} at {cluster.address}; Ctrl-C detaches from it")
    _follow(cluster, job, bool(params.get("detach")))


def _follow(cluster: Cluster, job: str, detach: bool) -> None:
    """Shows the job's log, prints its result and exits with its code."""
    try:
        end = cluster.follow(job, say, until_result=detach)
    except KeyboardInterrupt:
        say(f"distml: detached; the job goes on. {_commands(cluster, job)}")
        raise
    if end.result is not None:
        result(end.result["document"], end.result["text"])
    if detach and end.exit_code == 0:
        say(f"distml: {_commands(cluster, job)}")
    raise typer.Exit(end.exit_code)


def _commands(cluster: Cluster, job: str) -> str:
    where = f"{job} --address {cluster.address}"
    return f"Follow it with `ray job logs --follow {where}`, end it with `ray job stop {where}`"


def _arguments(ctx: typer.Context, params: dict[str, Any]) -> list[str]:
    """What the command was given, as it was written, paths from the root; without what is done here."""
    written: list[str] = ["--json"] if params["json"] else []
    for parameter in ctx.command.params:
        name = parameter.name or ""
        value = params.get(name)
        if name in _HERE or value is None or value is False or value == []:
            continue
        if name == "allow_code":  # given more than once
            written += [part for package in value for part in (parameter.opts[0], package)]
            continue
        text = _absolute(str(value)) if name in _PATHS else str(value)
        if parameter.param_type_name == "argument":
            written.append(text)
        else:
            written += [parameter.opts[0]] if value is True else [parameter.opts[0], text]
    return written


def _absolute(path: str) -> str:
    if "://" in path or path.startswith("sklearn:"):
        return path
    ending = "/" if path.endswith("/") else ""  # of a folder to be written
    return str(Path(path).expanduser().absolute()) + ending
