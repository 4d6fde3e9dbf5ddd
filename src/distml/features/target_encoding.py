"""Target encoding: a category as what the target was in the training rows that had it, without leaking a row's own.

The m-estimate of Micci-Barreca (2001): (n mean + m prior) / (n + m), where n rows of the category had the mean, the
prior is the mean of all rows and m the smoothing. A training row gets the encoding that was fitted on the rows outside
its fold, prior included, so that it never depends on its own target; every other row gets that of all training rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from distml.features.categories import VocabularyTransform
from distml.target_counts import TargetCounts, folds_of

Table = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, kw_only=True)
class TargetTransform(VocabularyTransform):
    """One categorical column as the target's mean, or as the share of each of `labels`.

    encodings: [v + 2][outputs] of missing values, of rare and unknown ones, of the vocabulary, fitted on all training
    rows; out_of_fold: the same fitted on the rows outside of each fold, [k][v + 2][outputs]. Each output is
    (encoding - center) / scale.
    """

    labels: tuple[str, ...]
    encodings: Table
    out_of_fold: tuple[Table, ...]
    seed: int
    centers: tuple[float, ...]
    scales: tuple[float, ...]
    kind: ClassVar[str] = "target"

    def __post_init__(self) -> None:
        super().__post_init__()
        stacked = np.array([self.encodings, *self.out_of_fold])  # [1 + k, v + 2, outputs]
        scaled = (stacked - np.array(self.centers)) / np.array(self.scales)
        object.__setattr__(self, "_table", scaled.reshape(-1, stacked.shape[-1]).astype(np.float32))

    @property
    def names(self) -> tuple[str, ...]:
        name = f"{self.column}_target"
        return tuple(f"{name}={label}" for label in self.labels) if self.labels else (name,)

    @property
    def width(self) -> int:
        return len(self.centers)

    def out_of_their_folds(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """What `read` gave for training rows, by their hashes uint64 [n], so that `write` leaves out their folds."""
        folds = folds_of(rows, len(self.out_of_fold), self.seed)
        return values + (1 + folds) * (len(self.vocabulary) + 2)

    def write(self, values: np.ndarray, out: np.ndarray) -> None:
        out[:] = self._table[values]  # type: ignore[attr-defined]


def fit_target_encoding(
    column: str,
    vocabulary: tuple[str, ...],
    counts: TargetCounts,
    labels: Sequence[str] | None,
    *,
    smoothing: float,
    seed: int,
    scaled: bool,
) -> TargetTransform:
    """The encoding of a column from its counts by target; `scaled` to mean 0 and deviation 1 over the training rows.

    labels: the classes as texts, None for a target of numbers. Of two classes the last one's share says all.
    """
    shown = list(labels[-1:] if labels is not None and len(labels) == 2 else labels or [])
    num_rows, totals = counts.by_category(vocabulary, None if labels is None else shown)
    nothing = 0.0 if labels is None else 1 / len(labels)
    encodings = _smoothed(num_rows, totals, smoothing, nothing)
    others = [[g for g in range(counts.num_folds) if g != fold] for fold in range(counts.num_folds)]
    # Summed over the other folds rather than subtracted, so that not even a rounding knows of the row's own fold.
    out_of_fold = [_smoothed(num_rows[:, rest], totals[:, rest], smoothing, nothing) for rest in others]
    centers, scales = np.zeros(totals.shape[-1]), np.ones(totals.shape[-1])
    if scaled:
        weights = num_rows.sum(axis=1) / max(num_rows.sum(), 1)
        centers = weights @ encodings
        deviations = np.sqrt(weights @ np.square(encodings - centers))
        scales = np.where(deviations > 0, deviations, 1.0)
    return TargetTransform(
        column=column, vocabulary=vocabulary, labels=tuple(shown if len(shown) > 1 else ()),
        encodings=_table(encodings), out_of_fold=tuple(map(_table, out_of_fold)), seed=seed,
        centers=tuple(centers.tolist()), scales=tuple(scales.tolist()),
    )  # fmt: skip


def _smoothed(num_rows: np.ndarray, totals: np.ndarray, smoothing: float, nothing: float) -> np.ndarray:
    """Encodings float64 [v + 2, outputs] from counts [v + 2, k] and totals [v + 2, k, outputs]; without any row at
    all every encoding is `nothing`."""
    rows, sums = num_rows.sum(axis=1)[:, None].astype(float), totals.sum(axis=1)
    everything = rows.sum()
    prior = sums.sum(axis=0) / everything if everything else np.full(sums.shape[1], nothing)
    weight = rows + smoothing
    drawn = sums + smoothing * prior
    return np.where(weight > 0, drawn / np.where(weight > 0, weight, 1.0), prior)


def _table(values: np.ndarray) -> Any:
    return tuple(map(tuple, values.tolist()))
