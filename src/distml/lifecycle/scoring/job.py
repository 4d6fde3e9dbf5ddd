"""A planned scoring, run over an engine. The driver sees counts and findings, never rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

from distml.clean import Finding, merge_findings
from distml.config import SourceConfig
from distml.data.engine import Engine
from distml.data.parts import placed
from distml.errors import DistmlError
from distml.lifecycle.scoring.destination import QUARANTINE, Destination
from distml.lifecycle.scoring.parts import join_parts
from distml.lifecycle.scoring.worker import Part, Scorer, quarantine_schema
from distml.reading.files import Fragment
from distml.registry import Version
from distml.storage import Storage

Progress = Callable[[int, int], None]  # told the fragments and the rows that are done
_LARGE_BYTES = 1 << 30  # scored in about a minute on two cores; a cluster and its workers start in 12 s
_RUN_BYTES = 16 << 20


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What became of a table: where the predictions are, rows scored and set aside, and why.

    `reasons` counts the rows that break each rule; one row may break several. Examples in `findings` count rows from
    the table's first.
    """

    model: str
    out: str
    num_rows: int
    num_quarantined: int
    quarantine: str | None
    reasons: dict[str, int]
    findings: list[Finding]

    def to_dict(self) -> dict[str, Any]:
        return {**self.__dict__, "findings": [asdict(finding) for finding in self.findings]}


@dataclass(frozen=True, kw_only=True)
class ScoringJob:
    """A table, a version and a place for the predictions, which were found to go together."""

    version: Version
    storage: Storage
    source: SourceConfig
    fragments: Sequence[Fragment]
    layout: Any  # pyarrow.Schema of the table
    scored: Any  # pyarrow.Schema of the table with predictions
    destination: Destination

    @property
    def is_large(self) -> bool:
        """Whether a cluster gains more than its start costs."""
        return len(self.fragments) > 1 and sum(fragment.size for fragment in self.fragments) >= _LARGE_BYTES

    def run(self, engine: Engine, progress: Progress = lambda num_fragments, num_rows: None) -> Scored:
        """Scores the table. Whatever stops it, nothing is left that wasn't there before.

        Raises `DistmlError` naming the file that can't be read or written, and `PackageError` for a damaged package.
        """
        with self.destination.scratch() as scratch:
            parts = self._parts(engine, scratch, progress)
            self.destination.check_arrived(key for part in parts for key in (part.scored, part.quarantine) if key)
            return self._publish(parts, scratch)

    def _parts(self, engine: Engine, scratch: str, progress: Progress) -> list[Part]:
        scorer = Scorer(
            storage=self.storage, package=self.version.package, source=self.source, layout=self.layout,
            home=self.destination.home, scratch=scratch, kind=self.destination.kind,
        )  # fmt: skip
        parts: list[Part] = []
        num_rows = 0
        runs = in_runs(self.fragments, _RUN_BYTES)
        with closing(engine.map_with(scorer.load, runs)) as results:
            for run in runs:
                try:
                    found = next(results)
                except DistmlError as error:
                    if error.where:
                        raise
                    raise placed(error, run[0]) from error  # an engine's own, which doesn't know of files
                parts += found
                num_rows += sum(part.num_rows for part in found)
                progress(len(parts), num_rows)
        return parts

    def _publish(self, parts: Sequence[Part], scratch: str) -> Scored:
        destination, home = self.destination, self.destination.home
        aside = f"{scratch}/aside"
        has_aside = self._join_aside(parts, aside)
        scored = self._scored(parts, has_aside)
        if destination.is_folder:
            files = {part.scored: f"part-{index:05d}.parquet" for index, part in enumerate(parts)}
            files |= {aside: QUARANTINE} if has_aside else {}
            destination.publish_folder(scratch, files, scored.to_dict())
            return scored
        whole = f"{scratch}/whole"
        join_parts(home, [part.scored for part in parts], whole, destination.kind, self.scored)
        home.delete(destination.quarantine)  # an earlier scoring's
        if has_aside:
            home.rename(aside, destination.quarantine)
        home.rename(whole, destination.name)  # last: who sees it sees what is missing in it, too
        return scored

    def _join_aside(self, parts: Sequence[Part], target: str) -> bool:
        keys = [part.quarantine for part in parts if part.quarantine is not None]
        if keys:
            join_parts(self.destination.home, keys, target, "csv", quarantine_schema(self.layout))
        return bool(keys)

    def _scored(self, parts: Sequence[Part], has_aside: bool) -> Scored:
        findings: list[Finding] = []
        num_rows = 0
        for part in parts:
            findings += [finding.placed("source", num_rows) for finding in part.findings]
            num_rows += part.num_rows
        findings = merge_findings(findings)
        return Scored(
            model=self.version.label,
            out=self.destination.uri,
            num_rows=sum(part.num_scored for part in parts),
            num_quarantined=sum(part.num_quarantined for part in parts),
            quarantine=self.destination.home.uri(self.destination.quarantine) if has_aside else None,
            reasons={_reason(f): f.count for f in findings if f.action == "quarantine"},
            findings=findings,
        )


def _reason(finding: Finding) -> str:
    return f"{finding.column}: {finding.rule}" if finding.column else finding.rule


def in_runs(fragments: Sequence[Fragment], target_bytes: int) -> list[tuple[Fragment, ...]]:
    """Small fragments several at a time: handing one out costs a cluster some 20 ms."""
    runs: list[tuple[Fragment, ...]] = []
    run: list[Fragment] = []
    for fragment in fragments:
        run.append(fragment)
        if sum(other.size for other in run) >= target_bytes or fragment is fragments[-1]:
            runs.append(tuple(run))
            run = []
    return runs
