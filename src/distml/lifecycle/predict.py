"""Batch scoring: a table through a registered version, fragment by fragment, along the serving path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from distml.clean import Cleaned, Finding, as_text, merge_findings
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
        import pyarrow as pa

        with self.storage.local_folder(self.package) as folder:
            predictor = Predictor.load(folder)
        scored, aside, findings = [], [], []
        seen = 0
        try:
            for raw in read_fragment(fragment, self.source):
                cleaned, prediction = predictor.predict_kept(raw)
                scored.append(with_predictions(raw.filter(pa.array(cleaned.kept)), prediction))
                if not cleaned.kept.all():
                    aside.append(_set_aside(raw, cleaned, seen))
                findings += [finding.placed("source", seen) for finding in cleaned.findings]
                seen += raw.num_rows
        except DistmlError as error:
            return error
        return scored, aside, merge_findings(findings)


def predict_table(version: Version, storage: Storage, source: SourceConfig, out: str, engine: Engine) -> Scored:
    """Scores every row of a source into one Parquet or CSV file, input columns first.

    Rows that the model can't take go to `<out>.quarantine.csv` with the reasons. Raises `DataError` for a table without
    the model's columns or with columns that scoring adds, and for an `out` that is neither .parquet nor .csv, or read.
    """
    quarantine = f"{out}.quarantine.csv"
    fragments = list_fragments(source)
    _check_out(out, quarantine, fragments)
    score = _Score(storage=storage, package=version.package, source=source)
    scored: list[Any] = []
    aside: list[Any] = []
    findings: list[Finding] = []
    for result in engine.map(score, fragments):
        if isinstance(result, DistmlError):
            raise result
        scored += result[0]
        aside += result[1]
        findings += result[2]
    if not scored:
        raise DataError("a table to score has a header at least", received="nothing", where=source.uri)
    _write(scored, out)
    home, name = _place(quarantine)
    home.delete(name)  # an earlier scoring's
    if aside:
        _write(aside, quarantine)
    return Scored(
        out=out, num_rows=sum(t.num_rows for t in scored), num_quarantined=sum(t.num_rows for t in aside),
        quarantine=quarantine if aside else None, findings=merge_findings(findings),
    )  # fmt: skip


def _check_out(out: str, quarantine: str, fragments: Sequence[Fragment]) -> None:
    if not out.endswith((".parquet", ".csv")):
        raise DataError("predictions go to a .parquet or .csv file", received=out, where="--out")
    read = {fragment.path for fragment in fragments}
    for path in (out, quarantine):
        if "://" not in path and str(Path(path).expanduser().absolute()) in read:
            raise DataError("predictions go to another file than the table", received=path, where="--out")


def with_predictions(table: Any, prediction: Prediction) -> Any:
    """A pyarrow table with `prediction` and, for classes, `probability_<label>` columns added."""
    import pyarrow as pa

    if prediction.labels is None or prediction.probabilities is None:
        return _added(table, {"prediction": pa.array(prediction.values)})
    kind = pa.array(prediction.labels).type  # not of the values, which a block may have none of
    columns = {"prediction": pa.array(prediction.values.tolist(), kind)}
    for code, label in enumerate(prediction.labels):
        columns[f"probability_{as_text(label)}"] = pa.array(prediction.probabilities[:, code])
    return _added(table, columns)


def _added(table: Any, columns: dict[str, Any]) -> Any:
    """A pyarrow table with columns added. Raises `DataError` where it has one of that name."""
    for name, values in columns.items():
        if name in table.column_names:
            raise DataError(
                "a table to score has no column that scoring adds",
                received=name,
                remedy="rename it, or leave it out",
            )
        table = table.append_column(name, values)
    return table


def _set_aside(raw: Any, cleaned: Cleaned, offset: int) -> Any:
    """The raw rows that weren't kept, with their number in the fragment and everything that is wrong with them."""
    import pyarrow as pa

    rows = np.flatnonzero(~cleaned.kept)
    reasons = pa.array(cleaned.reasons(rows), pa.string())
    return _added(raw.take(rows), {"distml_row": pa.array(rows + offset), "distml_reason": reasons})


def _write(tables: Sequence[Any], out: str) -> None:
    """Writes beside the file and renames, so that a table is whole or not there."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    table = pa.concat_tables(tables)
    sink = pa.BufferOutputStream()
    if out.endswith(".csv"):
        pyarrow.csv.write_csv(table, sink)
    else:
        pyarrow.parquet.write_table(table, sink)
    home, name = _place(out)
    home.write_bytes(name, sink.getvalue().to_pybytes())


def _place(path: str) -> tuple[Storage, str]:
    """The folder of a path or URI as storage, and the name in it."""
    folder, _, name = path.rpartition("/")
    return (Storage(folder), name) if "://" in path else (Storage(Path(path).parent), Path(path).name)
