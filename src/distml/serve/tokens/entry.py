"""`Entry`: what a service knows of one bearer token, written in one line of an environment variable.

    NAME:SCOPE[+SCOPE...]:SHA256[:expires=DATE]

The token itself is shown once, where it is made, and is in no file: it has 256 random bits, so its plain SHA-256 tells
nobody what it is.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import get_args

from distml.config.auth import Scope
from distml.errors import ConfigError

SCOPES: tuple[Scope, ...] = get_args(Scope)
PREFIX = "dml_"  # what scanners for leaked secrets look for
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FORM = "NAME:SCOPE[+SCOPE...]:SHA256[:expires=DATE]"
_REMEDY = "make a token with `distml token new NAME --scopes predict`, which prints the entry to put there"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One token. expires_at: seconds since 1970, None for never; digest: 32 bytes, told by no repr."""

    name: str
    scopes: frozenset[Scope]
    digest: bytes = field(repr=False)
    expires: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name.startswith(PREFIX):
            raise _refused("a token's name has letters, digits and ._- and is at most 64 long", "another name")
        if not self.scopes:
            raise _refused("a token has at least one scope", "none")
        ends_at(self.expires)

    @property
    def expires_at(self) -> float | None:
        """When the token ends, in seconds since 1970."""
        return ends_at(self.expires)

    @property
    def ordered(self) -> list[Scope]:
        return [scope for scope in SCOPES if scope in self.scopes]

    def allows(self, scope: Scope) -> bool:
        return scope in self.scopes or "admin" in self.scopes

    def line(self) -> str:
        """The entry as it is put into the environment."""
        line = f"{self.name}:{'+'.join(self.ordered)}:{self.digest.hex()}"
        return line if self.expires is None else f"{line}:expires={self.expires}"


def new(name: str, scopes: Collection[str], expires: str | None = None) -> tuple[str, Entry]:
    """A new token and what is known of it. Raises `ConfigError` for a name, scope or date that can't be."""
    token = PREFIX + secrets.token_urlsafe(32)
    entry = Entry(name=name, scopes=_scopes(scopes), digest=hashed(token), expires=expires)
    return token, entry


def hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def entries(value: str, where: str) -> tuple[Entry, ...]:
    """The entries of a variable's value, separated by commas or lines. where: the variable's name.

    Raises `ConfigError`, which says which entry is wrong and never what is in it: it may be a token.
    """
    lines = [line for line in (part.strip() for part in re.split(r"[,\n]", value)) if line]
    found: list[Entry] = []
    for number, line in enumerate(lines, start=1):
        place = f"{where}, entry {number} of {len(lines)}"
        try:
            entry = _parsed(line)
        except ConfigError as error:
            raise ConfigError(error.rule, received=error.received, where=place, remedy=error.remedy) from None
        if any(entry.name == other.name or entry.digest == other.digest for other in found):
            raise ConfigError("a token stands once, under a name of its own", received=f"{entry.name} again",
                              where=place, remedy="remove one of the two entries")  # fmt: skip
        found.append(entry)
    if not found:
        raise ConfigError("a service with `serve.auth` knows at least one token", received="none", where=where,
                          remedy=_REMEDY)  # fmt: skip
    return tuple(found)


def ends_at(expires: str | None) -> float | None:
    """The end of a day (UTC) or a moment, in seconds since 1970. Raises `ConfigError` for what is no date.

    >>> ends_at("2027-01-01") == ends_at("2027-01-02T00:00:00Z")
    True
    """
    if expires is None:
        return None
    try:
        if len(expires) == len("2027-01-01"):
            day = date.fromisoformat(expires) + timedelta(days=1)
            return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
        moment = datetime.fromisoformat(expires)
    except (ValueError, OverflowError):
        raise _refused("a token expires on an ISO date", "another word", "write expires=2027-01-31") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _parsed(line: str) -> Entry:
    name, *rest = line.split(":", 3)
    if PREFIX in line or len(rest) < 2:
        received = "a token itself" if PREFIX in line else f"{1 + len(rest)} of 3 parts"
        raise _refused(f"an entry is {_FORM}: the hash of a token, never the token", received)
    scopes, digest, *more = rest
    if not _SHA256.fullmatch(digest.lower()):
        raise _refused(f"an entry is {_FORM}: the hash of a token, never the token", "no SHA-256 of 64 hex digits")
    if more and not more[0].startswith("expires="):
        raise _refused("after the hash an entry says `expires=DATE` or nothing", "something else")
    expires = more[0].removeprefix("expires=") if more else None
    return Entry(name=name, scopes=_scopes(scopes.split("+")), digest=bytes.fromhex(digest), expires=expires)


def _scopes(words: Collection[str]) -> frozenset[Scope]:
    known = frozenset(scope for scope in SCOPES if scope in words)
    if len(known) != len(set(words)):
        raise _refused(f"a token's scopes are of {', '.join(SCOPES)}", "another word")
    return known


def _refused(rule: str, received: str, remedy: str = _REMEDY) -> ConfigError:
    return ConfigError(rule, received=received, remedy=remedy)
