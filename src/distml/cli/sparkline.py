"""A curve in one line of text."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import quantiles

_BARS = "▁▂▃▄▅▆▇█"


def sparkline(points: Sequence[tuple[float, float]], end: float, width: int) -> str:
    """A step function's values at `width` moments from its first point to `end`, each as a bar.

    points: (moment, value from there on), in order. What lies further than three interquartile ranges from the middle
    is drawn at the edge, or a first epoch would flatten all that comes.

    >>> sparkline([(0, 1.0), (5, 2.0), (9, 3.0)], 10, 5)
    '▁▁▄▄█'
    >>> sparkline([(0, 0.5)], 10, 3), sparkline([], 10, 3)
    ('▁▁▁', '')
    """
    if not points:
        return ""
    start = points[0][0]
    moments = [start + (end - start) * (i + 1) / width for i in range(width)]
    values = [next(value for at, value in reversed(points) if at <= max(moment, start)) for moment in moments]
    low, high = _edges(values)
    if high <= low:
        return _BARS[0] * width
    return "".join(_BARS[int(min(max((value - low) / (high - low), 0.0), 1.0) * (len(_BARS) - 1))] for value in values)


def _edges(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    if len(values) < 4:
        return low, high
    first, middle, third = quantiles(values, method="inclusive")
    reach = 3 * (third - first)
    return (max(low, middle - reach), min(high, middle + reach)) if reach else (low, high)
