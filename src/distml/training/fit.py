"""`fit`: the one entry to training, whatever the family.

It knows nothing of trials, Ray or MLflow: whoever calls it hears of each epoch through `on_epoch`.
"""

from __future__ import annotations

from distml.batch import FeatureBatch
from distml.metrics import Metric
from distml.models.base import ModelSpec
from distml.models.build import FAMILIES
from distml.training.base import FitResult, FitSettings, OnEpoch
from distml.training.boosting import fit_trees


def fit(
    spec: ModelSpec,
    train: FeatureBatch,
    validation: FeatureBatch | None,
    metric: Metric,
    settings: FitSettings,
    on_epoch: OnEpoch = lambda result: None,
) -> FitResult:
    """Fits a model; with validation rows the best epoch by `metric` is kept, without them the last.

    train, validation: batches of n and m rows with targets. Regression scores are of standardised targets.
    Raises `TrainingError` when the loss or the validation score is no longer a number.
    """
    if FAMILIES[spec.family].kind == "trees":
        return fit_trees(spec, train, validation, metric, settings, on_epoch)
    from distml.training.loop import fit_network

    return fit_network(spec, train, validation, metric, settings, on_epoch)
