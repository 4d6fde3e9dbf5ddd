"""Who may ask what: bearer tokens, known by their hashes alone, each with scopes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Scope = Literal["predict", "feedback", "admin"]


class Tokens:
    """The tokens of a service; `Tokens.open()` lets everyone in, which is for loopback alone."""

    @classmethod
    def open(cls) -> Tokens:
        raise NotImplementedError

    def authorize(self, headers: Mapping[str, str], scope: Scope) -> None:
        """Raises `Problem` 401 without a known token, 403 where it hasn't the scope. headers: names in lower case."""
        raise NotImplementedError
