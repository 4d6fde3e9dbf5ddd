"""`Traffic`: which versions answer, which share each has, and which only listen. Replicas are told it as data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from distml.config.rollout import KEY
from distml.errors import UsageError


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
    answers for a version that fails. shadow: is asked too, and its answers go nowhere. key: names the request header,
    in lower case, by which a request is assigned, so that one client keeps one version; salt: of that assignment, new
    with each rollout. asked_at: seconds since 1970, which makes each wish one that replicas hear of.

    Raises `UsageError` for shares that are not of the requests, and for one version in two parts.
    """

    main: Deployed
    shares: tuple[Share, ...] = ()
    shadow: Deployed | None = None
    last_good: Deployed | None = None
    key: str = KEY
    salt: str = ""
    allow_code: tuple[str, ...] = ()
    asked_at: float = 0.0

    def __post_init__(self) -> None:
        percents = [share.percent for share in self.shares]
        if not all(0 < percent <= 100 for percent in percents) or sum(percents) > 100:
            raise UsageError("shares are percentages above 0, together 100 at most", received=percents)
        parts = [self.main, *(share.deployed for share in self.shares), *filter(None, [self.shadow])]
        numbers = [deployed.version for deployed in parts]
        if len(set(numbers)) < len(numbers):
            raise UsageError("a version has one part in the traffic", received=f"versions {numbers}")

    @property
    def versions(self) -> dict[int, Deployed]:
        """Every version that a replica holds, by number."""
        wanted = [self.main, *(share.deployed for share in self.shares), self.shadow, self.last_good]
        return {deployed.version: deployed for deployed in wanted if deployed is not None}

    def key_of(self, headers: Mapping[str, str], request_id: str) -> str:
        """By what a request is assigned: the client's own key, else the request by itself. headers: in lower case."""
        return headers.get(self.key) or request_id

    def assign(self, key: str) -> int:
        """The number of the version that answers a request of this key: always the same one while shares only grow.

        Shares lie above each other from 0 up, in their order: whoever is within the last one stays there as it grows.

        >>> main, canary = Deployed(version=1, package="a"), Deployed(version=2, package="b")
        >>> at = [Traffic(main=main, shares=(Share(deployed=canary, percent=p),)).assign("ann") for p in (5, 25, 100)]
        >>> at
        [1, 1, 2]
        """
        if self.shares:
            place, top = position(self.salt, key), 0.0
            for share in self.shares:
                top += share.percent
                if place < top:
                    return share.deployed.version
        return self.main.version

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: what Serve carries to the replicas as `user_config`."""
        return {**asdict(self), "shares": [asdict(share) for share in self.shares], "allow_code": list(self.allow_code)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Traffic:
        def deployed(known: Mapping[str, Any] | None) -> Deployed | None:
            return None if known is None else Deployed(**known)

        shares = [Share(deployed=Deployed(**one["deployed"]), percent=one["percent"]) for one in value["shares"]]
        return cls(
            **{
                **value,
                "main": Deployed(**value["main"]),
                "shares": tuple(shares),
                "shadow": deployed(value["shadow"]),
                "last_good": deployed(value["last_good"]),
                "allow_code": tuple(value["allow_code"]),
            }
        )


def position(salt: str, key: str) -> float:
    """Where a key lies in [0, 100): evenly spread over keys, the same on every replica, unrelated under another salt.

    The first 53 bits of BLAKE2b (RFC 7693), which a float holds exactly.
    """
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8, key=salt.encode()[:64]).digest()
    return (int.from_bytes(digest) >> 11) * (100 / (1 << 53))
