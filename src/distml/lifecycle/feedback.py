"""Labels from a table into the inference log, as `/feedback` writes them: for those that come in bulk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from distml.clean import as_text
from distml.config import SourceConfig
from distml.errors import DataError, did_you_mean
from distml.inference_log import FEEDBACK, Segments, SegmentWriter, feedback_table
from distml.package import ModelPackage
from distml.reading.log import ReadLog
from distml.reading.source import list_fragments, read_fragment
from distml.reading.sql import one_state
from distml.registry import Version
from distml.serve.feedback.labels import CheckedLabel, checked
from distml.storage import Storage

_NEEDED, _OTHER = ("request_id", "label"), ("row",)


@dataclass(frozen=True, kw_only=True)
class KeptLabels:
    """What became of a table: labels kept, rows without one, and the segments that hold them."""

    num_labels: int
    num_missing: int
    segments: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Told:
    """A row of the table; place: what an error calls it."""

    request_id: Any
    row: Any
    label: Any
    place: str


def keep_feedback(storage: Storage, version: Version, source: SourceConfig) -> KeptLabels:
    """Writes a table's labels, checked against a version's target, into the log of its model.

    Its columns are request_id, label and row (0 where there is no such column); others are left out, and so are rows
    without a label. All are checked before the first is written. Raises `DataError` naming file and row.
    """
    with storage.local_folder(version.package) as folder:
        package = ModelPackage.load(folder)
    blocks: list[list[CheckedLabel]] = []
    num_missing = 0
    with one_state(source):
        for told in _blocks(source, package):
            known = [one for one in told if one.label not in (None, "")]
            num_missing += len(told) - len(known)
            if known:
                blocks.append(checked(known, package, lambda place, known=known: known[place].place))  # type: ignore[misc]
    writer = SegmentWriter(Segments(storage=storage, name=version.name, kind=FEEDBACK), _writer())
    segments = tuple(writer.write(_table(block)) for block in blocks)
    return KeptLabels(num_labels=sum(map(len, blocks)), num_missing=num_missing, segments=segments)


def _blocks(source: SourceConfig, package: ModelPackage) -> Iterator[list[_Told]]:
    log = ReadLog(is_private=package.schema.target.private)
    is_number = package.postprocess.target.kind == "number"
    for fragment in list_fragments(source):
        first = fragment.first_row
        for raw in read_fragment(fragment, source, log):
            _check_columns(raw.column_names, fragment.path)
            yield [
                _told(row, f"{fragment.path}, row {place}", is_number=is_number)
                for place, row in enumerate(raw.select(_present(raw)).to_pylist(), first)
            ]
            first += raw.num_rows


def _present(raw: Any) -> list[str]:
    return [name for name in (*_NEEDED, *_OTHER) if name in raw.column_names]


def _check_columns(names: list[str], path: str) -> None:
    for name in _NEEDED:
        if name not in names:
            near = did_you_mean(name, [other for other in names if other not in (*_NEEDED, *_OTHER)])
            raise DataError(
                "a table of labels has the columns request_id, label and, for requests of several rows, row",
                received=f"no {name!r}", where=path, remedy=f"rename {near!r} to {name!r}" if near else None,
            )  # fmt: skip


def _told(row: dict[str, Any], place: str, *, is_number: bool) -> _Told:
    """A row as `checked` takes it: numbers that a text file writes are numbers, where numbers belong."""
    request_id, label = row["request_id"], row["label"]
    if isinstance(label, str):
        label = label.strip()
        label = _read(float, label) if is_number and label else label
    return _Told(
        request_id=request_id.strip() if isinstance(request_id, str) else request_id and as_text(request_id),
        row=_read(int, row.get("row", 0)), label=label, place=place,
    )  # fmt: skip


def _read(kind: type[int] | type[float], value: Any) -> Any:
    """A value as a number where that is what it says, else as it is."""
    try:
        number = kind(value)
    except (TypeError, ValueError, OverflowError):
        return value
    return number if isinstance(value, str) or number == value else value


def _table(labels: list[CheckedLabel]) -> Any:
    return feedback_table(
        request_ids=[label.request_id for label in labels],
        rows=[label.row for label in labels],
        labels=[label.label for label in labels],
        versions=[None] * len(labels),
        received_at=[datetime.now(UTC)] * len(labels),
        replica=_writer(),
    )


def _writer() -> str:
    return f"{os.uname().nodename}-{os.getpid()}"
