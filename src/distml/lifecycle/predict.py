"""Batch scoring: a table through a registered version, fragment by fragment, along the serving path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from distml.clean import Finding, as_text, merge_findings
from distml.config import SourceConfig
from distml.data.engine import Engine
from distml.data.source import Fragment, list_fragments, read_fragment
from distml.errors import DataError, DistmlError
from distml.postprocess import Prediction
from distml.predictor import Predictor
from distml.registry import Version
from distml.storage import Storage


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What became of a table: where the predictions are, rows scored and set aside, and why."""

    out: str
    num_rows: int
    num_quarantined: int
    quarantine: str | None
    findings: list[Finding]

    def to_dict(self) -> dict[str, Any]:
        return {**self.__dict__, "findings": [asdict(finding) for finding in self.findings]}


@dataclass(frozen=True, kw_only=True)
class _Score:
    """Scores one fragment; returns its tables, scored and set aside, or the error that stopped it."""

    storage: Storage
    package: str
    source: SourceConfig

    def __call__(self, fragment: Fragment) -> tuple[list[Any], list[Any], list[Finding]] | DistmlError:
        with self.storage.local_folder(self.package) as folder:
            predictor = Predictor.load(folder)
        scored, aside, findings = [], [], []
        seen = 0
        try:
            for raw in read_fragment(fragment, self.source):
                cleaned, prediction = predictor.predict_kept(raw)
                scored.append(with_predictions(raw.filter(_mask(cleaned.kept)), prediction))
                if not cleaned.kept.all():
                    aside.append(_with_reasons(raw, cleaned.kept, cleaned.findings, seen))
                findings += [finding.placed("source", seen) for finding in cleaned.findings]
                seen += raw.num_rows
        except DistmlError as error:
            return error
        return scored, aside, merge_findings(findings)


def predict_table(version: Version, storage: Storage, source: SourceConfig, out: str, engine: Engine) -> Scored:
    """Scores every row of a source into one Parquet or CSV file, input columns first.

    Rows that the model can't take go to `<out>.quarantine` with the reason. Raises `DataError` for a table without
    the model's columns, and for an `out` that is neither .parquet nor .csv.
    """
    if not out.endswith((".parquet", ".csv")):
        raise DataError("predictions go to a .parquet or .csv file", received=out, where="--out")
    score = _Score(storage=storage, package=version.package, source=source)
    scored: list[Any] = []
    aside: list[Any] = []
    findings: list[Finding] = []
    for result in engine.map(score, list_fragments(source)):
        if isinstance(result, DistmlError):
            raise result
        scored += result[0]
        aside += result[1]
        findings += result[2]
    quarantine = f"{out.removesuffix('.parquet').removesuffix('.csv')}.quarantine.csv" if aside else None
    _write(scored, out)
    if quarantine is not None:
        _write(aside, quarantine)
    return Scored(
        out=out, num_rows=sum(t.num_rows for t in scored), num_quarantined=sum(t.num_rows for t in aside),
        quarantine=quarantine, findings=merge_findings(findings),
    )  # fmt: skip


def with_predictions(table: Any, prediction: Prediction) -> Any:
    """A pyarrow table with `prediction` and, for classes, `probability_<label>` columns added."""
    import pyarrow as pa

    values: Any = prediction.values
    if prediction.labels is not None:
        values = pa.array(prediction.values.tolist())
    table = table.append_column("prediction", pa.array(values) if isinstance(values, np.ndarray) else values)
    if prediction.labels is not None and prediction.probabilities is not None:
        for code, label in enumerate(prediction.labels):
            column = pa.array(prediction.probabilities[:, code])
            table = table.append_column(f"probability_{as_text(label)}", column)
    return table


def _mask(kept: np.ndarray) -> Any:
    import pyarrow as pa

    return pa.array(kept)


def _with_reasons(raw: Any, kept: np.ndarray, findings: Sequence[Finding], offset: int) -> Any:
    """The rows set aside with what is wrong with them, as far as the findings' examples name rows."""
    import pyarrow as pa

    rows = np.flatnonzero(~kept)
    broken = [finding for finding in findings if finding.action in ("fail", "quarantine", "drop")]
    general = "; ".join(f"{finding.column}: {finding.rule}" for finding in broken)
    named = {row: f"{finding.column}: {finding.rule}, received {value}" for finding in broken
             for row, value in finding.examples}  # fmt: skip
    reasons = [named.get(int(row), general) for row in rows]
    numbers = pa.array(rows + offset)
    return raw.take(rows).append_column("distml_row", numbers).append_column("distml_reason", pa.array(reasons))


def _write(tables: Sequence[Any], out: str) -> None:
    """Writes beside the file and renames, so that a table is whole or not there."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    folder, _, name = out.rpartition("/")
    if "://" not in out:
        from pathlib import Path

        folder, name = str(Path(out).parent), Path(out).name
    table = pa.concat_tables(tables)
    sink = pa.BufferOutputStream()
    if name.endswith(".csv"):
        pyarrow.csv.write_csv(table, sink)
    else:
        pyarrow.parquet.write_table(table, sink)
    Storage(folder).write_bytes(name, sink.getvalue().to_pybytes())
