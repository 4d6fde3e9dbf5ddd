"""The keeper of a served model: brings replicas and champion to what the rollout in storage says, and advances it."""

from distml.lifecycle.serving.keeper.keeper import Keeper, Service

__all__ = ["Keeper", "Service"]
