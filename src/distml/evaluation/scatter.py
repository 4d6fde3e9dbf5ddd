"""The trials of a search in a picture of two objectives: what each costs across, its score upward."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

_MARGIN = 20


def scatter(
    records: Sequence[Mapping[str, Any]],
    cost: str,
    front: Sequence[int],
    sign: int,
    width: int = 640,
    height: int = 240,
) -> dict[str, Any]:
    """Points in pixels of the trials that have a score and a cost, lower ones left and better ones higher.

    front: numbers of the trials on the Pareto front, joined by `line` from the cheapest on. Costs are drawn by their
    logarithm where the highest is more than ten times the lowest: `low` and `high` name the ends.
    """
    known = [record for record in records if record["score"] is not None and cost in record["objectives"]]
    if not known:
        return {"width": width, "height": height, "points": [], "line": "", "low": None, "high": None}
    costs = [record["objectives"][cost] for record in known]
    low, high = min(costs), max(costs)
    scale = math.log if low > 0 and high > 10 * low else float
    x = _spread([scale(value) for value in costs], _MARGIN, width - _MARGIN)
    y = _spread([sign * record["score"] for record in known], height - _MARGIN, _MARGIN)
    points = [
        {"x": round(px, 1), "y": round(py, 1), "record": record, "cost": value, "is_front": record["number"] in front}
        for px, py, record, value in zip(x, y, known, costs, strict=True)
    ]
    on_front = sorted((point["x"], point["y"]) for point in points if point["is_front"])
    line = " ".join(f"{px},{py}" for px, py in on_front)
    return {"width": width, "height": height, "points": points, "line": line, "low": low, "high": high}


def _spread(values: Sequence[float], start: float, end: float) -> list[float]:
    """Values laid from start to end, in the middle where they are all equal."""
    low, high = min(values), max(values)
    if low == high:
        return [(start + end) / 2 for _ in values]
    return [start + (value - low) / (high - low) * (end - start) for value in values]
