"""The keeper of a served model: brings replicas and champion to what the rollout in storage says, and advances it."""

from distml.lifecycle.keeper.keeper import Keeper, Service

__all__ = ["Keeper", "Service"]
