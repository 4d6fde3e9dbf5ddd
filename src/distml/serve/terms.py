"""`Terms`: on what terms a service answers: limits, places, times, and web pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from distml.config.cors import CorsConfig
from distml.serve.wire import Limits, Problem


@dataclass(frozen=True, kw_only=True)
class Terms:
    """max_queued: requests under way at once; timeout_s: for one request, unless it says less."""

    limits: Limits = field(default_factory=Limits)
    max_queued: int = 128
    timeout_s: float = 10.0
    cors: CorsConfig | None = None

    @property
    def max_bytes(self) -> int:
        """Of all bodies under way: room for some of the largest, and for many small ones."""
        return max(64 << 20, 4 * self.limits.max_body_bytes)

    def seconds(self, headers: Mapping[str, str]) -> float:
        """How long a request may take: `X-Request-Timeout`, in seconds, where that is less. Raises `Problem` 400."""
        given = headers.get("x-request-timeout")
        if given is None:
            return self.timeout_s
        try:
            seconds = float(given)
        except ValueError:
            seconds = float("nan")
        if not seconds > 0:
            raise Problem(400, "invalid-timeout", f"X-Request-Timeout is seconds above 0, received {given[:60]!r}")
        return min(seconds, self.timeout_s)
