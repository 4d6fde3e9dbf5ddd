"""From cleaned columns to model inputs."""

from distml.features.categories import CategoricalTransform, CountTransform, HashTransform, OneHotTransform
from distml.features.dates import CalendarTransform
from distml.features.fit import FittedFeatures, Recipe, empty_target_counts, fit_features
from distml.features.image import ImageTransform
from distml.features.numeric import NumericTransform
from distml.features.pipeline import FeaturePipeline
from distml.features.target_encoding import TargetTransform
from distml.features.text import TextTransform
from distml.features.transforms import Transform

__all__ = [
    "CalendarTransform",
    "CategoricalTransform",
    "CountTransform",
    "FeaturePipeline",
    "FittedFeatures",
    "HashTransform",
    "ImageTransform",
    "NumericTransform",
    "OneHotTransform",
    "Recipe",
    "TargetTransform",
    "TextTransform",
    "Transform",
    "empty_target_counts",
    "fit_features",
]
