"""Which trials make a package, and what is done with their outputs: decided on held-out rows, before the refit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from distml.config import PostprocessConfig
from distml.metrics import Metric
from distml.postprocess import Postprocess, blend_weights, blended, fit_calibration, fit_threshold
from distml.target import ClassTarget, NumericTarget, Target
from distml.tune import TrialRecord


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """The rows that models are chosen and calibrated on: target as trained on, [n]; weight float32 [n] or None."""

    target: np.ndarray
    weight: np.ndarray | None


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The trials of a package with their weights, best first, and what follows them."""

    members: tuple[tuple[TrialRecord, float], ...]
    postprocess: Postprocess
    outputs: tuple[np.ndarray, ...]  # of each member on the held-out rows

    def to_list(self) -> list[dict[str, Any]]:
        """The members for a report."""
        return [
            {"trial": record.number, "family": record.family, "params": record.params, "weight": weight}
            for record, weight in self.members
        ]


def choose(
    best: TrialRecord,
    records: Sequence[TrialRecord],
    outputs: Mapping[int, np.ndarray],
    held_out: HeldOut,
    metric: Metric,
    target: Target,
    max_members: int,
    config: PostprocessConfig,
) -> Choice:
    """The best trial alone, or the blend of at most `max_members` trials that beats it on the held-out rows.

    outputs: by trial number, of those trials whose outputs are known, `best` among them.
    """
    known = [best, *(record for record in records if record.number in outputs and record.number != best.number)]
    weights = [1.0]
    if max_members > 1:
        weights = blend_weights([outputs[record.number] for record in known], held_out.target, metric, max_members)
    members = [(record, weight) for record, weight in zip(known, weights, strict=False) if weight > 0]
    members.sort(key=lambda member: (-member[1], member[0].number))
    chosen = tuple(outputs[record.number] for record, _ in members)
    return Choice(
        members=tuple(members),
        postprocess=_fitted(tuple(weight for _, weight in members), chosen, held_out, target, config),
        outputs=chosen,
    )


def _fitted(
    weights: tuple[float, ...],
    outputs: tuple[np.ndarray, ...],
    held_out: HeldOut,
    target: Target,
    config: PostprocessConfig,
) -> Postprocess:
    if isinstance(target, NumericTarget):
        return Postprocess(weights=weights, target=target)
    probabilities = blended(outputs, weights)
    calibration = fit_calibration(config.calibration, probabilities, held_out.target, held_out.weight)
    if calibration is not None:
        probabilities = calibration(probabilities)
    threshold = 0.5
    if isinstance(target, ClassTarget) and target.task == "binary":
        threshold = fit_threshold(config.threshold, probabilities[:, 1], held_out.target, held_out.weight)
    return Postprocess(weights=weights, target=target, calibration=calibration, threshold=threshold)
