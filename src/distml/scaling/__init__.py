"""How numbers are scaled, features and targets alike, and how a scale is fitted from a summary."""

from distml.scaling.numbers import Numbers
from distml.scaling.scales import (
    LinearScale,
    LogScale,
    QuantileScale,
    Scaling,
    scaling_from_dict,
    scaling_to_dict,
)
from distml.scaling.together import ScalesTogether

__all__ = [
    "LinearScale",
    "LogScale",
    "Numbers",
    "QuantileScale",
    "ScalesTogether",
    "Scaling",
    "scaling_from_dict",
    "scaling_to_dict",
]
