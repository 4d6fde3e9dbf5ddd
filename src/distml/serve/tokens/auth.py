"""Who may ask what: bearer tokens, known by their hashes alone, each with scopes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping
from hmac import compare_digest

from distml.config.auth import AuthConfig, Scope
from distml.errors import ConfigError
from distml.serve.tokens.entry import Entry, entries, hashed
from distml.serve.wire.problem import Problem

_REALM = 'Bearer realm="distml"'
_UNKNOWN = "this needs a valid token: send `Authorization: Bearer TOKEN`"


class Tokens:
    """The tokens of a service; `Tokens.open()` lets everyone in, which is for loopback alone.

    `authorize` may run on one thread and `revoke` on another: what is known is one reference, swapped as a whole.
    """

    def __init__(self, known: Collection[Entry] | None, now: Callable[[], float] = time.time) -> None:
        self._all = None if known is None else tuple(known)
        self._now = now
        self._valid: dict[bytes, tuple[Entry, float]] = {}
        self.revoke(())

    def __repr__(self) -> str:
        return "Tokens(open)" if self._all is None else f"Tokens({', '.join(entry.name for entry in self._all)})"

    @classmethod
    def open(cls) -> Tokens:
        return cls(None)

    @classmethod
    def of(cls, variable_value: str, where: str = "DISTML_TOKENS") -> Tokens:
        """The tokens of a variable's value. where: its name. Raises `ConfigError`, which tells none of the value."""
        return cls(entries(variable_value, where))

    @property
    def num(self) -> int:
        """Tokens that are known, revoked or expired ones too."""
        return len(self._all or ())

    @property
    def is_open(self) -> bool:
        return self._all is None

    def revoke(self, names: Collection[str]) -> None:
        """From now on exactly these names are revoked."""
        kept = [entry for entry in self._all or () if entry.name not in names]
        self._valid = {entry.digest: (entry, _end(entry)) for entry in kept}

    def authorize(self, headers: Mapping[str, str], scope: Scope) -> None:
        """Raises `Problem` 401 without a known token, 403 where it hasn't the scope. headers: names in lower case."""
        if self._all is None:
            return
        scheme, _, token = headers.get("authorization", "").partition(" ")
        digest = hashed(token.strip())
        entry, end = self._valid.get(digest, (None, 0.0))
        # The dictionary compares hashes, of which a guess tells nothing; this comparison takes the same time always.
        if (
            entry is None
            or not compare_digest(entry.digest, digest)
            or scheme.lower() != "bearer"
            or self._now() >= end
        ):
            raise Problem(401, "unauthorized", _UNKNOWN, headers={"WWW-Authenticate": _REALM})
        if not entry.allows(scope):
            challenge = f'{_REALM}, error="insufficient_scope", scope="{scope}"'
            detail = f"this needs a token with the scope {scope}"
            raise Problem(403, "forbidden", detail, headers={"WWW-Authenticate": challenge})


def _end(entry: Entry) -> float:
    return float("inf") if entry.expires_at is None else entry.expires_at


def require_tokens(auth: AuthConfig | None) -> Tokens:
    """The tokens that a service's config asks for, from this process's environment; open where it asks for none.

    Raises `ConfigError` when the variable isn't set or isn't entries: nothing listens before this has passed.
    """
    return tokens_of(None if auth is None else auth.tokens)


def tokens_of(variable: str | None) -> Tokens:
    """The tokens in a variable of this process's environment, as `require_tokens`. None: open."""
    if variable is None:
        return Tokens.open()
    value = os.environ.get(variable)
    if value is None:
        raise ConfigError(
            "a service with `serve.auth` finds its tokens in the environment of every machine that serves",
            received=f"{variable} is not set on {os.uname().nodename}", where="serve.auth.tokens",
            remedy=f"`distml token new NAME --scopes predict` prints an entry; set {variable} to it before Ray starts",
        )  # fmt: skip
    return Tokens.of(value, variable)
