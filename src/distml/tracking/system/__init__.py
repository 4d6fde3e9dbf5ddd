"""How busy the driver's machine is: read now and then, and logged as metrics of the run."""

from distml.tracking.system.sampler import Sampler

__all__ = ["Sampler"]
