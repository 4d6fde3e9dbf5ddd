"""The section `serve.rollout`: how a new version takes over from the one that answers."""

from __future__ import annotations

from distml.config.base import Section


class RolloutConfig(Section):
    """How a new version takes over from the one that answers."""
