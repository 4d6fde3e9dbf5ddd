"""Commands about who may ask a service: token new, token list, token revoke."""

from __future__ import annotations

import os
import time
from typing import Annotated

import typer

from distml.cli.options import DEFAULT_STORAGE, Json, StorageOption
from distml.cli.output import begin, result, say, table

TokenName = Annotated[str, typer.Argument(help="a token's name, by which it is revoked", metavar="NAME")]
Variable = Annotated[str, typer.Option("--variable", help="the environment variable that holds the entries")]
_VARIABLE = "DISTML_TOKENS"
_SHOWN = ("name", "scopes", "expires", "revoked")


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Bearer tokens of services with `serve.auth`.", no_args_is_help=True)
    group.command()(new)
    group.command("list")(show)
    group.command()(revoke)
    app.add_typer(group, name="token")


def new(
    name: TokenName,
    scopes: Annotated[str, typer.Option("--scopes", help="of predict, feedback, admin; admin may all")] = "predict",
    expires: Annotated[str | None, typer.Option("--expires", help="2027-01-31: the last day, UTC")] = None,
    storage: StorageOption = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Prints a new token, this once and nowhere else, and the entry by which a service knows it."""
    begin(json)
    from distml.errors import UsageError
    from distml.serve.tokens.entry import ends_at
    from distml.serve.tokens.entry import new as make
    from distml.serve.tokens.revoked import revocations
    from distml.storage import Storage

    token, entry = make(name, [scope.strip() for scope in scopes.split(",")], expires)
    end = ends_at(expires)
    if end is not None and end <= time.time():
        raise UsageError("a token expires in the future", received=expires, where="--expires",
                         remedy="write a day to come, as 2027-01-31")  # fmt: skip
    revoked = revocations(Storage(storage)).get(name)
    if revoked is not None:
        raise UsageError("a revoked token's name stays revoked", received=f"{name}, revoked at {revoked}",
                         where=storage, remedy=f"choose another, as {name}-2")  # fmt: skip
    say(f"distml: the token, shown this once, and the entry to add to {_VARIABLE} where services run:")
    result({"name": name, "token": token, "entry": entry.line()}, f"{token}\n{entry.line()}")


def show(variable: Variable = _VARIABLE, storage: StorageOption = DEFAULT_STORAGE, json: Json = False) -> None:
    """The tokens of this environment and those revoked in storage: names, scopes and dates, nothing secret."""
    begin(json)
    from distml.serve.tokens.entry import entries
    from distml.serve.tokens.revoked import revocations
    from distml.storage import Storage

    revoked = revocations(Storage(storage))
    here = entries(os.environ[variable], variable) if variable in os.environ else ()
    told = [(entry.name, "+".join(entry.ordered), entry.expires, revoked.get(entry.name)) for entry in here]
    told += [(name, "?", None, at) for name, at in revoked.items() if name not in {entry.name for entry in here}]
    rows = [[word or "-" for word in line] for line in told]
    shown = table(list(_SHOWN), rows) if rows else f"no token in {variable}, none revoked"
    result({"tokens": [dict(zip(_SHOWN, line, strict=True)) for line in told]}, shown)


def revoke(
    name: TokenName, variable: Variable = _VARIABLE, storage: StorageOption = DEFAULT_STORAGE, json: Json = False
) -> None:
    """Revokes a token for good: services on this storage refuse it within seconds, without a restart."""
    begin(json)
    from distml.serve.tokens.entry import entries
    from distml.serve.tokens.revoked import READ_EVERY_S, revocations
    from distml.serve.tokens.revoked import revoke as write
    from distml.storage import Storage

    home = Storage(storage)
    write(home, name)
    if variable in os.environ and name not in {entry.name for entry in entries(os.environ[variable], variable)}:
        say(f"distml: {variable} here holds no token {name}: if that is a slip, revoke the name that you meant")
    told = f"{name} is revoked; replicas refuse it within {READ_EVERY_S:g} s. Remove its entry when you next deploy"
    result({"name": name, "revoked": revocations(home)[name]}, told)
