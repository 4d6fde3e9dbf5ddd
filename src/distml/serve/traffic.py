"""`Traffic`: which versions answer, which share each has, and which only listen. Replicas are told it as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A registered version and where its package is."""

    version: int
    package: str


@dataclass(frozen=True, kw_only=True)
class Share:
    """A version beside the main one, and its percentage of the requests."""

    deployed: Deployed
    percent: float


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What replicas are to serve.

    main: answers whatever no other has a share of. last_good: what is served where `main` can't be loaded, and what
    answers for a version that fails. shadow: is asked too, and its answers go nowhere. key: names the request header
    by which a request is assigned, so that one client keeps one version; salt: of that assignment, new with each
    rollout. asked_at: seconds since 1970, which makes each wish one that replicas hear of.
    """

    main: Deployed
    shares: tuple[Share, ...] = ()
    shadow: Deployed | None = None
    last_good: Deployed | None = None
    key: str | None = None
    salt: str = ""
    allow_code: tuple[str, ...] = ()
    asked_at: float = 0.0

    @property
    def versions(self) -> dict[int, Deployed]:
        """Every version that a replica holds, by number."""
        wanted = [self.main, *(share.deployed for share in self.shares), self.shadow, self.last_good]
        return {deployed.version: deployed for deployed in wanted if deployed is not None}

    def assign(self, key: str) -> int:
        """The number of the version that answers a request of this key: always the same one while shares only grow."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        raise NotImplementedError

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Traffic:
        raise NotImplementedError
