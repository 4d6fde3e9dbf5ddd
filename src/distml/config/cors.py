"""The section `serve.cors`: which web pages may read the service's answers."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from distml.config.base import Names, Section

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+")


class CorsConfig(Section):
    """Which web pages may read the service's answers; without this section none may."""

    origins: Names = Field(min_length=1, description='as a browser sends them, https://app.example, or "*" for all')

    @field_validator("origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ValueError(f"an origin is scheme and host without a path, as https://app.example; got {origin!r}")
        if "*" in origins and len(origins) > 1:
            raise ValueError('"*" stands alone: it allows every origin')
        return origins

    def allows(self, origin: str) -> bool:
        return origin in self.origins or "*" in self.origins
