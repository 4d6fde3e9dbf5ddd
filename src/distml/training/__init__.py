"""One fit: from a batch of rows and parameters to a fitted model."""

from distml.training.base import EpochResult, FitResult, FitSettings, OnEpoch, OnNote
from distml.training.fit import fit
from distml.training.folds import fit_folds
from distml.training.learner import Learner

__all__ = ["EpochResult", "FitResult", "FitSettings", "Learner", "OnEpoch", "OnNote", "fit", "fit_folds"]
