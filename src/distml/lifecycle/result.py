"""`RunResult`: what a run came to, filled stage by stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from distml.config import RunConfig
from distml.evaluation import Verdict
from distml.lifecycle.evaluate import Evaluated
from distml.lifecycle.prepared import Prepared
from distml.lifecycle.search import Searched
from distml.lifecycle.train import Trained
from distml.registry import Version
from distml.storage import Storage


@dataclass(kw_only=True, repr=False)
class RunResult:
    """What a run came to; stages that were not run are None."""

    run: str
    config: RunConfig
    storage: Storage
    seconds: dict[str, float]
    prepared: Prepared | None = None
    searched: Searched | None = None
    trained: Trained | None = None
    evaluated: Evaluated | None = None
    verdict: Verdict | None = None
    version: Version | None = None
    tracking_run: str | None = None
    report: str | None = None
    endpoint: str | None = None

    def __repr__(self) -> str:
        """What one wants to see of a run in a notebook; all of it is in the fields."""
        version = self.version.label if self.version else None
        metrics = self.evaluated.metrics if self.evaluated else None
        promoted = self.verdict.promoted if self.verdict else None
        return f"RunResult(run={self.run!r}, version={version!r}, {promoted=}, {metrics=}, report={self.report!r})"

    def to_dict(self) -> dict[str, Any]:
        """The document that `distml run --json` prints."""
        searched, trained, evaluated = self.searched, self.trained, self.evaluated
        return {
            "run": self.run,
            "name": self.config.name,
            "version": self.version.number if self.version else None,
            "verdict": self.verdict.to_dict() if self.verdict else None,
            "metrics": {
                "test": evaluated.metrics if evaluated else None,
                "validation": trained.validation if trained else None,
            },
            "decisions": evaluated.decisions if evaluated else None,
            "baselines": evaluated.baselines if evaluated else None,
            "best": self._best() if searched else None,
            "ensemble": trained.members if trained else None,
            "trials": searched.counts() if searched else None,
            "seconds": self.seconds,
            "package": self.storage.uri(trained.package) if trained else None,
            "report": self.report,
            "tracking_run": self.tracking_run,
            "endpoint": self.endpoint,
        }

    def _best(self) -> dict[str, Any]:
        assert self.searched is not None and self.prepared is not None
        best = self.searched.best
        return {"trial": best.number, "family": best.family, "params": best.params, "validation_score": best.score}
