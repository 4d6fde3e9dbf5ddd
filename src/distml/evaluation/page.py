"""The run's report as one HTML page that needs nothing else: no script, no network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distml.evaluation.scatter import scatter


def render(report: Mapping[str, Any]) -> str:
    """The page of a report's values, as `lifecycle.publish` gathers them."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("distml.evaluation", "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["figure"] = figure
    environment.filters["seconds"] = lambda value: f"{value:.1f} s"
    return environment.get_template("report.html.j2").render(**report, curve=curve, scatter=scatter)


def figure(value: Any) -> str:
    """A number as a table shows it.

    >>> figure(0.92708123), figure(44017.3), figure(None), figure(16281)
    ('0.9271', '44,017', '–', '16,281')
    """
    if value is None or value != value:
        return "–"
    if isinstance(value, int) or abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.1f}"


def curve(records: list[Mapping[str, Any]], sign: int, width: int = 640, height: int = 180) -> dict[str, Any]:
    """Points of the search's picture: every trial's score and the best so far, in pixels.

    Scores are clipped at three interquartile ranges below their median, or one bad trial would flatten the rest.
    """
    import numpy as np

    scored = [record for record in records if record["score"] is not None]
    if not scored:
        return {"width": width, "height": height, "points": [], "line": ""}
    scores = np.array([sign * record["score"] for record in scored])
    low, middle, high = np.quantile(scores, [0.25, 0.5, 0.75])
    floor = max(scores.min(), middle - 3 * max(high - low, 1e-12))
    span = max(scores.max() - floor, 1e-12)
    x = np.linspace(20, width - 20, len(scored)) if len(scored) > 1 else np.array([width / 2])
    y = height - 20 - (np.clip(scores, floor, None) - floor) / span * (height - 40)
    best = np.minimum.accumulate(y)
    points = [
        {"x": round(float(px), 1), "y": round(float(py), 1), "record": record}
        for px, py, record in zip(x, y, scored, strict=True)
    ]
    line = " ".join(f"{px:.1f},{py:.1f}" for px, py in zip(x, best, strict=True))
    return {"width": width, "height": height, "points": points, "line": line}
