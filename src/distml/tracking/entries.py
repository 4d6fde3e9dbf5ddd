"""What a run has to say to its tracker, as values: they wait in a spool and are sent by whoever is there then.

An entry names no tracker's id, which may not be there yet, but a key of our own: `RUN` for the run itself, and for the
runs below it whatever their `Start` gave. Times are those of what happened.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from distml.tracking.base import Dataset, Point, RunStatus

RUN = ""


def now_ms() -> int:
    """Milliseconds since 1970."""
    return int(time.time() * 1000)


@dataclass(frozen=True, kw_only=True)
class Start:
    """A run below the run begins; one that is there already goes on."""

    run: str
    name: str
    tags: Mapping[str, str]
    at_ms: int = field(default_factory=now_ms)


@dataclass(frozen=True, kw_only=True)
class Log:
    run: str = RUN
    params: Mapping[str, str] = field(default_factory=dict)
    points: tuple[Point, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class End:
    """A run has ended; with `RUN`, what is open below it has been killed."""

    status: RunStatus
    run: str = RUN
    at_ms: int = field(default_factory=now_ms)


@dataclass(frozen=True, kw_only=True)
class Discard:
    """Runs below the run that aren't among `keep` count no more."""

    keep: tuple[str, ...]
    at_ms: int = field(default_factory=now_ms)


@dataclass(frozen=True, kw_only=True)
class Datasets:
    datasets: tuple[Dataset, ...]


@dataclass(frozen=True, kw_only=True)
class Artifacts:
    """What lies at a key of storage, a file or a folder, as artifacts of the run below `path`."""

    key: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Mirror:
    """A registered version, as a mapping, and the alias that it has."""

    version: Mapping[str, Any]
    alias: str


Entry = Start | Log | End | Discard | Datasets | Artifacts | Mirror
_KINDS: dict[str, type[Any]] = {
    kind.__name__.lower(): kind for kind in (Start, Log, End, Discard, Datasets, Artifacts, Mirror)
}


def log(
    run: str = RUN,
    *,
    params: Mapping[str, Any] | None = None,
    points: Sequence[Point] = (),
    tags: Mapping[str, Any] | None = None,
) -> Log:
    """A `Log` that is the same after it has waited in a file: params and tags are texts, points are finite."""
    return Log(
        run=run,
        params={key: str(value) for key, value in (params or {}).items()},
        points=tuple(point for point in points if math.isfinite(point.value)),
        tags={key: str(value) for key, value in (tags or {}).items()},
    )


def merged(entries: Sequence[Entry]) -> list[Entry]:
    """The same said with fewer entries: what is logged of a run between its beginning and its end is one `Log`.

    >>> merged([log("a", params={"x": 1}), log("b"), log("a", tags={"y": 2})])[0]
    Log(run='a', params={'x': '1'}, points=(), tags={'y': '2'})
    """
    result: list[Entry] = []
    place: dict[str, int] = {}  # where the open `Log` of a run is
    for entry in entries:
        if isinstance(entry, Log) and entry.run in place:
            before = result[place[entry.run]]
            assert isinstance(before, Log)
            result[place[entry.run]] = replace(
                before,
                params={**before.params, **entry.params},
                points=before.points + entry.points,
                tags={**before.tags, **entry.tags},
            )
            continue
        if isinstance(entry, Log):
            place[entry.run] = len(result)
        elif isinstance(entry, Start | End):
            place.pop(entry.run, None)
        elif isinstance(entry, Discard):
            place.clear()
        result.append(entry)
    return result


def to_dict(entry: Entry) -> dict[str, Any]:
    return {"entry": type(entry).__name__.lower(), **asdict(entry)}


def from_dict(value: Mapping[str, Any]) -> Entry:
    kind, values = _KINDS[value["entry"]], {key: item for key, item in value.items() if key != "entry"}
    if "points" in values:
        values["points"] = tuple(Point(**point) for point in values["points"])
    if "datasets" in values:
        values["datasets"] = tuple(Dataset(**dataset) for dataset in values["datasets"])
    if "keep" in values:
        values["keep"] = tuple(values["keep"])
    entry: Entry = kind(**values)
    return entry
