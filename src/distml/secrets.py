"""Passwords in URIs: written as ${VARIABLE}, and read from the environment only where the URI is used.

So a config, a run's record and a submitted job carry the variable's name; what it holds stays in the environment of
the process that opens the connection.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping

from distml.errors import ConfigError

CREDENTIALS = re.compile(r"(?<=//)[^/\s]*(?=@)")
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def without_password(text: str) -> str:
    """A text whose URIs have lost their user and password, as everything that is logged or kept does.

    What names variables alone is no secret and stays, and so does the user of a table's database.

    >>> without_password("postgresql://ann:secret@db/runs")
    'postgresql://db/runs'
    >>> without_password("postgresql://ann:${DB_PASSWORD}@db/runs")
    'postgresql://ann:${DB_PASSWORD}@db/runs'
    >>> without_password("sql:postgresql://ann@db/runs")
    'sql:postgresql://ann@db/runs'
    """

    def kept(found: re.Match[str]) -> str:
        start, credentials = found.groups(default="")
        is_user = bool(start) and ":" not in credentials
        return found.group(0) if is_user or _names_variables(credentials) else f"{start}//"

    return re.sub(r"(\bsql:[\w+]*:)?//([^/\s]*)@", kept, text)


def _names_variables(credentials: str) -> bool:
    user, _, password = credentials.rpartition(":")
    return bool(VARIABLE.fullmatch(password)) and (not user or not VARIABLE.sub("", user).count("$"))


def with_secrets(uri: str, environ: Mapping[str, str] | None = None, written: Callable[[str], str] = str) -> str:
    """A URI whose user and password are filled in from the environment, each value as `written` writes it.

    Raises `ConfigError` for a variable that isn't set.

    >>> with_secrets("postgresql://ann:${DB_PASSWORD}@db/runs", {"DB_PASSWORD": "secret"})
    'postgresql://ann:secret@db/runs'
    """
    known = os.environ if environ is None else environ

    def resolve(match: re.Match[str]) -> str:
        name, default = match.groups()
        value = known.get(name, default)
        if value is None:
            raise ConfigError(
                "a variable in a URI's user or password is set where the URI is used",
                received=match.group(0),
                where=without_password(uri),
                remedy=f"set {name} in the environment of that machine",
            )
        return written(value)

    return CREDENTIALS.sub(lambda found: VARIABLE.sub(resolve, found.group(0)), uri)
