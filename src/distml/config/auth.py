"""The section `serve.auth`: who may ask."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, model_validator

from distml.config.base import Section

Scope = Literal["predict", "feedback", "admin"]
"""What a token allows; `admin` allows everything."""


class AuthConfig(Section):
    """Who may ask. Without this section everyone on this machine may, and nobody else can."""

    tokens: str = Field(
        "DISTML_TOKENS",
        description="the environment variable that holds NAME:SCOPE[+SCOPE...]:SHA256[:expires=DATE] for each token, "
        "on every machine that serves; `distml token new` makes them",
    )

    @model_validator(mode="before")
    @classmethod
    def _holds_no_token(cls, value: Any) -> Any:
        """Of the whole section, so that what may be a token is in no error."""
        name = value.get("tokens", "") if isinstance(value, dict) else value
        if name and not (isinstance(name, str) and re.fullmatch(r"[A-Z_][A-Z0-9_]{0,99}", name)):
            raise ValueError(
                "serve.auth.tokens is an environment variable's name, as DISTML_TOKENS, never what it holds"
            )
        return value
