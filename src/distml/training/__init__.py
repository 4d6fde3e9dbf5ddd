"""One fit: from a batch of rows and parameters to a fitted model."""

from distml.training.base import EpochResult, FitResult, FitSettings
from distml.training.fit import fit

__all__ = ["EpochResult", "FitResult", "FitSettings", "fit"]
