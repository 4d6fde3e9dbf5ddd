"""The stage `gate`: the package registered, judged, and promoted if the verdict allows; all of it in the audit log."""

from __future__ import annotations

from dataclasses import replace

from distml.evaluation import Verdict
from distml.lifecycle.evaluate import judge_package
from distml.lifecycle.result import RunResult
from distml.lifecycle.versions import move_to_challenger
from distml.registry import Decision, Registry, Version


def gate(result: RunResult, registry: Registry, retrains: str | None) -> tuple[Verdict, Version]:
    """Runs the stage on what the others came to; a run that was cut off in it decides nothing twice.

    retrains: the label of the champion that is trained again; traffic moves before it does then.
    """
    assert result.prepared and result.searched and result.trained and result.evaluated
    config, trained = result.config, result.trained
    verdict, champion = judge_package(
        config, result.prepared, result.searched, trained, result.evaluated, result.storage, registry
    )
    version = registry.register(
        config.name, package=trained.package, package_id=trained.package_id, run=result.run,
        metrics={"test": result.evaluated.metrics, "validation": trained.validation},
    )  # fmt: skip
    by = f"run {result.run}" if retrains is None else f"retraining of {retrains}, run {result.run}"
    expected = champion.number if champion else None
    if not verdict.promoted:
        _refuse(
            registry,
            Decision(name=config.name, version=version.number, action="refuse", reasons=verdict.reasons, by=by),
        )
    elif expected == version.number:  # this run may have promoted it before it was cut off, or another has
        own = [entry for entry in registry.audit(config.name) if entry.action == "promote" and entry.by == by]
        verdict = replace(verdict, reasons=own[-1].reasons) if own else verdict
    elif retrains is None:
        registry.promote(config.name, version.number, expected=expected, reasons=verdict.reasons, by=by)
    else:
        move_to_challenger(result.storage, version, expected=expected, reasons=verdict.reasons, by=by)
    return verdict, version


def _refuse(registry: Registry, refusal: Decision) -> None:
    """Records a refusal, which a run that was cut off may have recorded before."""
    if refusal not in [replace(decision, at="") for decision in registry.audit(refusal.name)]:
        registry.record(refusal)
