"""The whole examination: of the cluster that RAY_ADDRESS names, else of this machine alone."""

from __future__ import annotations

from dataclasses import dataclass

from distml.cluster.on_ray import named_cluster
from distml.errors import DistmlError
from distml.lifecycle.doctor.check import Check, refusal
from distml.lifecycle.doctor.cluster import look_at_cluster
from distml.lifecycle.doctor.here import look_here
from distml.lifecycle.doctor.question import Question


@dataclass(frozen=True, kw_only=True)
class Examined:
    """address: of the cluster that was asked, None for this machine alone."""

    checks: tuple[Check, ...]
    address: str | None


def examine(question: Question) -> Examined:
    """Raises nothing for what it finds. A cluster that can't be joined is a finding, and this machine is looked at."""
    try:
        with named_cluster() as address:
            checks = look_here(question) if address is None else look_at_cluster(question)
            return Examined(checks=tuple(checks), address=address)
    except DistmlError as error:
        return Examined(checks=(refusal("cluster", error), *look_here(question)), address=None)
