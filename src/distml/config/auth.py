"""The section `serve.auth`: who may ask."""

from __future__ import annotations

from distml.config.base import Section


class AuthConfig(Section):
    """Who may ask."""
