"""What one request may ask for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one request may ask for."""

    max_rows: int = 10_000
    max_body_bytes: int = 16 << 20
