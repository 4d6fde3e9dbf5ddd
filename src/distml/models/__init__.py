"""Model families: what they are built from, how they predict, how they are stored."""

from distml.models.base import Family, Model, ModelSpec
from distml.models.build import FAMILIES, build_network, learned, load_model

__all__ = ["FAMILIES", "Family", "Model", "ModelSpec", "build_network", "learned", "load_model"]
