"""The gate: whether a version may replace the champion, and every reason for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from distml.config import GateConfig, GatesConfig
from distml.metrics import Metric, metric_for

NUM_RESAMPLES = 300
MIN_COMPARABLE_ROWS = 30


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`promoted` says whether every condition held; reasons name each with its figures, the failed ones first."""

    promoted: bool
    reasons: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"promoted": self.promoted, "reasons": list(self.reasons)}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Champion and challenger on the same rows, which neither was fitted on.

    target: [n]; champion, challenger: scores [n, k] or [n].
    """

    champion_label: str
    target: np.ndarray
    champion: np.ndarray
    challenger: np.ndarray


def judge(
    gates: GatesConfig,
    task: Any,
    primary: Metric,
    metrics: Mapping[str, float],
    comparison: Comparison | None,
    latency_p99_ms: float | None = None,
    *,
    seed: int = 0,
) -> Verdict:
    """Checks every gate. `metrics` are the challenger's on the test rows; `comparison` is None without a champion.

    Raises `ConfigError` for a gate on a metric that the task doesn't have.
    """
    passed: list[str] = []
    failed: list[str] = []

    def note(holds: bool, reason: str) -> None:
        (passed if holds else failed).append(reason)

    for name, gate in gates.metrics.items():
        metric = metric_for(name, task, where=f"gates.{name}")
        if gate.threshold is not None:
            score = metrics[name]
            holds = not metric.better(gate.threshold, score) and np.isfinite(score)
            note(holds, f"{name} {score:.6g} must be {_bound(metric)} {gate.threshold:g}")
    if gates.latency_p99_ms is not None and latency_p99_ms is not None:
        holds = latency_p99_ms <= gates.latency_p99_ms
        note(holds, f"one-row p99 of {latency_p99_ms:.1f} ms must be at most {gates.latency_p99_ms:g} ms")
    if comparison is None:
        passed.append("there is no champion to compare with")
    elif len(comparison.target) < MIN_COMPARABLE_ROWS:
        failed.append(
            f"only {len(comparison.target)} test rows were fitted on by neither this version nor champion "
            f"{comparison.champion_label}; {MIN_COMPARABLE_ROWS} are needed to compare them"
        )
    else:
        wanted = {primary.name: GateConfig(min_absolute_change=0.0)} | gates.metrics
        for name, gate in wanted.items():
            if gate.min_absolute_change is not None or name == primary.name:
                _compare(metric_for(name, task), gate, comparison, note)
        if gates.significance is not None:
            _test(primary, gates.significance, comparison, seed, note)
    return Verdict(promoted=not failed, reasons=(*failed, *passed))


def _bound(metric: Metric) -> str:
    return "at least" if metric.sign > 0 else "at most"


def _compare(metric: Metric, gate: GateConfig, comparison: Comparison, note: Any) -> None:
    new = metric(comparison.target, comparison.challenger)
    old = metric(comparison.target, comparison.champion)
    gain = metric.sign * (new - old)
    least = gate.min_absolute_change or 0.0
    wanted = f"better by {least:g} than" if least else "no worse than"
    note(
        bool(gain >= least),
        f"{metric.name} {new:.6g} must be {wanted} the {old:.6g} of champion {comparison.champion_label} on the "
        f"{len(comparison.target)} rows that neither was fitted on",
    )


def _test(metric: Metric, significance: float, comparison: Comparison, seed: int, note: Any) -> None:
    p = chance_of_no_gain(metric, comparison, seed)
    note(
        p < significance,
        f"the chance that {metric.name} is no better than champion {comparison.champion_label}'s is {p:.3f} by paired "
        f"bootstrap, must be below {significance:g}",
    )


def chance_of_no_gain(metric: Metric, comparison: Comparison, seed: int) -> float:
    """The share of paired bootstrap resamples (Efron and Tibshirani 1993, ch. 15) in which the challenger is not
    better, with one added to both counts so that it is never zero."""
    rng = np.random.default_rng(seed)
    n = len(comparison.target)
    no_gain = 0
    for _ in range(NUM_RESAMPLES):
        index = rng.integers(0, n, n)
        target = comparison.target[index]
        new, old = metric(target, comparison.challenger[index]), metric(target, comparison.champion[index])
        no_gain += not metric.better(new, old)
    return (no_gain + 1) / (NUM_RESAMPLES + 1)
