"""One fit: from a batch of rows and parameters to a fitted model."""

from distml.training.fit import EpochResult, FitResult, FitSettings, fit

__all__ = ["EpochResult", "FitResult", "FitSettings", "fit"]
