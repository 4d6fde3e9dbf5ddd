"""From cleaned columns to model inputs."""

from distml.features.fit import FittedFeatures, Recipe, fit_features
from distml.features.pipeline import FeaturePipeline
from distml.features.transforms import CategoricalTransform, NumericTransform, QuantileScale, StandardScale

__all__ = [
    "CategoricalTransform",
    "FeaturePipeline",
    "FittedFeatures",
    "NumericTransform",
    "QuantileScale",
    "Recipe",
    "StandardScale",
    "fit_features",
]
