"""Scoring one fragment of a table: what a worker does, which holds a loaded model and a block of rows at a time."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from distml.clean import Cleaned, Finding, as_text, merge_findings
from distml.config import SourceConfig
from distml.data.parts import placed
from distml.errors import DistmlError, StorageError
from distml.lifecycle.scoring.parts import Format, as_texts, open_part
from distml.postprocess import Prediction
from distml.predictor import Predictor
from distml.reading.files import Fragment
from distml.reading.layout import in_layout
from distml.reading.log import ReadLog
from distml.reading.source import read_fragment
from distml.storage import Storage

FILE, ROW, REASON = "distml_file", "distml_row", "distml_reason"  # what quarantined rows have beside their own columns


@dataclass(frozen=True, kw_only=True)
class Part:
    """What became of a fragment: keys in the destination's storage, rows in each, and what was found.

    Examples in `findings` count rows from the fragment's first.
    """

    scored: str
    quarantine: str | None
    num_scored: int
    num_quarantined: int
    num_lines: int  # quarantined, that were no rows
    findings: tuple[Finding, ...]

    @property
    def num_rows(self) -> int:
        return self.num_scored + self.num_quarantined - self.num_lines


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """What every worker is told: the package, how the table is written, and where parts go."""

    storage: Storage
    package: str
    source: SourceConfig
    layout: Any  # pyarrow.Schema
    home: Storage
    scratch: str
    kind: Format

    def load(self) -> Callable[[Sequence[Fragment]], list[Part]]:
        """The function that scores fragments, with the model in it."""
        with self.storage.local_folder(self.package) as folder:
            return partial(self.score, Predictor.load(folder))

    def score(self, predictor: Predictor, fragments: Sequence[Fragment]) -> list[Part]:
        """Reads, scores and writes fragments. Raises `DistmlError` naming the file that stops it."""
        parts = []
        for fragment in fragments:
            try:
                parts.append(self._score_one(predictor, fragment))
            except DistmlError as error:
                raise placed(error, fragment) from error
        return parts

    def _score_one(self, predictor: Predictor, fragment: Fragment) -> Part:
        """Block by block. Parts of attempts that didn't end well have other names, and are nobody's."""
        import pyarrow as pa

        name = f"{self.scratch}/{fragment.index:05d}-{uuid.uuid4().hex[:8]}"
        log = ReadLog(is_private=any(column.private for column in predictor.schema.columns))
        findings: list[Finding] = []
        num_seen = 0
        with ExitStack() as stack:
            scored = stack.enter_context(_Sink(self.home, f"{name}.{self.kind}", self.kind))
            aside = stack.enter_context(_Sink(self.home, f"{name}.quarantine", "csv"))
            for raw in self._blocks(fragment, log):
                cleaned, prediction = predictor.predict_kept(raw)
                rows = in_layout(raw, self.layout)
                scored.write(with_predictions(rows.filter(pa.array(cleaned.kept)), prediction))
                if not cleaned.kept.all():
                    aside.write(set_aside(rows, cleaned, fragment.path, fragment.first_row + num_seen))
                found = [_as_taken(finding).placed("source", num_seen) for finding in cleaned.findings]
                findings = merge_findings(findings + found)
                num_seen += raw.num_rows
            if log.aside:
                aside.write(lines_aside(self.layout, log))
        findings += [finding.placed("source", 0) for finding in log.findings()]
        return Part(
            scored=scored.key, quarantine=aside.key if aside.num_rows else None, num_scored=scored.num_rows,
            num_quarantined=aside.num_rows, num_lines=len(log.aside), findings=tuple(findings),
        )  # fmt: skip

    def _blocks(self, fragment: Fragment, log: ReadLog) -> Iterator[Any]:
        """The fragment's raw tables: one without rows where a file has nothing but a header."""
        is_empty = True
        for raw in read_fragment(fragment, _setting_aside(self.source), log):
            is_empty = False
            yield raw
        if is_empty:
            yield self.layout.empty_table()


def prediction_fields(labels: Sequence[Any] | None) -> list[Any]:
    """The pyarrow fields that scoring adds: `prediction`, and for classes a `probability_<label>` each."""
    import pyarrow as pa

    if labels is None:
        return [pa.field("prediction", pa.float64())]
    named = [pa.field(f"probability_{as_text(label)}", pa.float64()) for label in labels]
    return [pa.field("prediction", pa.array(labels).type), *named]


def with_predictions(table: Any, prediction: Prediction) -> Any:
    """A pyarrow table [n] with the predictions for its rows."""
    import pyarrow as pa

    values: list[Any] = [prediction.values.tolist()]
    if prediction.probabilities is not None:
        values += list(prediction.probabilities.T)
    for added, column in zip(prediction_fields(prediction.labels), values, strict=True):
        table = table.append_column(added, pa.array(column, added.type))
    return table


def quarantine_schema(layout: Any) -> Any:
    """The pyarrow schema of rows set aside: the table's columns, then file, row and reason."""
    import pyarrow as pa

    added = [pa.field(FILE, pa.string()), pa.field(ROW, pa.int64()), pa.field(REASON, pa.string())]
    return pa.schema([*as_texts(layout.empty_table()).schema, *added])


def set_aside(table: Any, cleaned: Cleaned, path: str, first_row: int) -> Any:
    """The rows that weren't kept, with their file, their number in it (from 0), and everything that is wrong."""
    import pyarrow as pa

    rows = np.flatnonzero(~cleaned.kept)
    columns = as_texts(table.take(rows)).columns
    added = [[path] * len(rows), rows + first_row, cleaned.reasons(rows)]
    return pa.table([*columns, *added], schema=quarantine_schema(table.schema))


def lines_aside(layout: Any, log: ReadLog) -> Any:
    """Lines that are no rows, as rows without values, with their file and what is wrong."""
    import pyarrow as pa

    schema = quarantine_schema(layout)
    told = {
        FILE: [line.path for line in log.aside],
        REASON: [f"line {line.number}, {line.text!r}: {line.reason}" for line in log.aside],
    }
    columns = [pa.array(told.get(field.name, [None] * len(log.aside)), field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _setting_aside(source: SourceConfig) -> SourceConfig:
    """The source, told to set aside what it drops: every line that comes is accounted for."""
    dropping = [key for key in ("ragged", "undecodable") if getattr(source, key) == "drop"]
    return source.model_copy(update=dict.fromkeys(dropping, "quarantine"))


def _as_taken(finding: Finding) -> Finding:
    """What training drops or stops at is set aside here."""
    return replace(finding, action="quarantine") if finding.action in ("fail", "drop") else finding


class _Sink:
    """A part that is made when its first block comes."""

    def __init__(self, home: Storage, key: str, kind: Format) -> None:
        self.key = key
        self.num_rows = 0
        self._home = home
        self._kind = kind
        self._open = ExitStack()
        self._writer: Any = None

    def write(self, table: Any) -> None:
        with _told(self._home):
            if self._writer is None:
                stream = self._open.enter_context(self._home.open_output(self.key))
                self._writer = self._open.enter_context(open_part(stream, self._kind, table.schema))
            self._writer.write_table(table)
        self.num_rows += table.num_rows

    def __enter__(self) -> _Sink:
        return self

    def __exit__(self, *error: object) -> None:
        with _told(self._home):
            self._open.close()


@contextmanager
def _told(home: Storage) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise StorageError("predictions can be written", received=str(error), where=home.root) from error
