"""The Pareto front: the trials that no other one beats in every objective. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from distml.metrics import Metric
from distml.tune.objective import TrialRecord


def front(points: Sequence[Sequence[float]]) -> list[int]:
    """Positions of the points that no other one dominates, every number to be low.

    A point dominates another that it is nowhere higher than and somewhere lower: of equal points all stay. Points with
    a NaN are left out, as nothing can be said of them.

    >>> front([(1.0, 5.0), (2.0, 2.0), (3.0, 3.0), (2.0, 2.0), (0.5, math.nan)])
    [0, 1, 3]
    """
    known = [i for i, point in enumerate(points) if not any(math.isnan(value) for value in point)]
    return [i for i in known if not any(_dominates(points[j], points[i]) for j in known)]


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def front_of(records: Sequence[TrialRecord], metric: Metric, costs: Sequence[str]) -> list[int]:
    """Numbers of the trials on the front of score and costs, the best score first; empty without costs.

    Only trials that came to an end with every cost measured can be on it.
    """
    eligible = [record for record in records if costs and record.is_eligible and record.score is not None]
    measured = [record for record in eligible if set(costs) <= set(record.objectives)]
    points = [(-metric.sign * _score(record), *(record.objectives[name] for name in costs)) for record in measured]
    chosen = [(points[i], measured[i].number) for i in front(points)]
    return [number for _, number in sorted(chosen)]


def _score(record: TrialRecord) -> float:
    assert record.score is not None
    return record.score
