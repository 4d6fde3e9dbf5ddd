"""The data profile as one HTML page that needs nothing else: no script, no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from distml.inspection.inspect import Inspection
from distml.inspection.observation import Observation
from distml.inspection.profile import profile
from distml.secrets import without_password

_WIDTH, _HEIGHT, _PAD = 300.0, 96.0, 6.0


def render(
    found: Inspection, name: str, splits: Sequence[dict[str, Any]] = (), columns: list[dict[str, Any]] | None = None
) -> str:
    """The page of an inspection. `splits` are what a run would make of the table: name, rows, target, drifted."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("distml.inspection", "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["figure"] = figure
    environment.filters["percent"] = percent
    environment.filters["public"] = without_password
    described = profile(found) if columns is None else columns
    by_column: dict[str, list[Observation]] = {}
    for seen in found.observations:
        if seen.column is not None and (seen.kind != "cleaned" or seen.action != "replace"):
            by_column.setdefault(seen.column, []).append(seen)
    return environment.get_template("profile.html.j2").render(
        name=name, source=found.source, test=found.test, target=found.target, observations=grouped(found.observations),
        columns=described, by_column=by_column, splits=splits, bars=bars, counts=_counts(found.observations),
    )  # fmt: skip


def _counts(observations: Sequence[Observation]) -> dict[str, int]:
    found: dict[str, int] = {}
    for seen in observations:
        found[seen.level] = found.get(seen.level, 0) + 1
    return found


@dataclass(frozen=True, kw_only=True)
class Group:
    """Observations that say the same of several columns, the one of most rows first."""

    seen: tuple[Observation, ...]

    @property
    def first(self) -> Observation:
        return self.seen[0]

    @property
    def columns(self) -> list[str]:
        return [seen.column or "" for seen in self.seen]

    @property
    def is_even(self) -> bool:
        """Whether all columns have the same count."""
        return len({seen.count for seen in self.seen}) == 1

    @property
    def remedies(self) -> list[str]:
        return list(dict.fromkeys(seen.remedy for seen in self.seen if seen.remedy))


def grouped(observations: Sequence[Observation]) -> list[Group]:
    """Observations that differ by column and count alone as groups, the worst first still."""
    groups: dict[tuple[Any, ...], list[Observation]] = {}
    for seen in observations:
        rule = seen.rule if not seen.told or seen.column is None else ""
        groups.setdefault((seen.level, seen.kind, rule, seen.told, seen.table, seen.action), []).append(seen)
    return [Group(seen=tuple(group)) for group in groups.values()]


def figure(value: Any) -> str:
    """A number as a person reads it.

    >>> figure(0.92708123), figure(44017.3), figure(None), figure(16281), figure("x")
    ('0.9271', '44,017', '–', '16,281', 'x')
    """
    if value is None or value != value:
        return "–"
    if isinstance(value, str):
        return value
    if isinstance(value, int) or abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.1f}"


def percent(share: float | None) -> str:
    """
    >>> percent(0.5), percent(0.00049), percent(0.0000001), percent(0.0), percent(None)
    ('50%', '0.049%', '<0.01%', '0%', '')
    """
    if share is None:
        return ""
    if share == 0 or share >= 0.1:
        return f"{share:.0%}"
    return f"{100 * share:.2g}%" if share >= 0.0001 else "<0.01%"


def bars(figures: dict[str, Any], other: dict[str, Any] | None = None) -> dict[str, Any]:
    """The picture of a histogram in pixels: bars, the outline of the test table's, the target's line over them."""
    histogram = figures["histogram"]
    counts = histogram["counts"]
    top = max(*counts, 1)
    width = (_WIDTH - 2 * _PAD) / len(counts)
    shapes = []
    for i, count in enumerate(counts):
        height = (_HEIGHT - 2 * _PAD) * count / top
        if count:
            height = max(height, 1.0)
        low, high = histogram["edges"][i], histogram["edges"][i + 1]
        shapes.append({"x": round(_PAD + i * width, 1), "y": round(_HEIGHT - _PAD - height, 1),
                       "width": round(max(width - 1, 0.8), 1), "height": round(height, 1), "count": count,
                       "low": low, "high": high})  # fmt: skip
    return {
        "width": _WIDTH, "height": _HEIGHT, "bars": shapes,
        "outline": _outline(other["histogram"]["counts"], width) if other and "histogram" in other else "",
        "line": _line(histogram["target"], width),
    }  # fmt: skip


def _outline(counts: list[int], width: float) -> str:
    """The steps of another table's bars, scaled to their own height."""
    top = max(*counts, 1)
    points = []
    for i, count in enumerate(counts):
        y = _HEIGHT - _PAD - (_HEIGHT - 2 * _PAD) * count / top
        points += [f"{_PAD + i * width:.1f},{y:.1f}", f"{_PAD + (i + 1) * width:.1f},{y:.1f}"]
    return " ".join(points)


def _line(means: list[float | None] | None, width: float) -> str:
    known = [mean for mean in means or () if mean is not None]
    if len(known) < 2 or max(known) == min(known):
        return ""
    low, reach = min(known), max(known) - min(known)
    return " ".join(
        f"{_PAD + (i + 0.5) * width:.1f},{_HEIGHT - _PAD - (mean - low) / reach * (_HEIGHT - 2 * _PAD):.1f}"
        for i, mean in enumerate(means or ()) if mean is not None
    )  # fmt: skip
