"""What one request may ask for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one request may ask for.

    max_body_bytes: of a body as it comes, and of what it unpacks to. max_depth: how deep the lists and objects of a
    JSON body may nest; one row in `{"rows": [...]}` is at depth 3, the pixels of an image in it at depth 6.
    """

    max_rows: int = 10_000
    max_body_bytes: int = 8 << 20
    max_depth: int = 32
