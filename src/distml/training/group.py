"""`Group`: the processes that fit one network together, as torch.distributed joined them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import distributed
from torch.nn.utils import parameters_to_vector, vector_to_parameters

Result = TypeVar("Result")


class WorkerLost(Exception):
    """Another worker of the group is gone: nothing of this one's doing."""


class Group:
    """This process among `size`; what it does with the others, all of them do, in the same order."""

    def __init__(self) -> None:
        self.rank = distributed.get_rank()
        self.size = distributed.get_world_size()

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def share(self, num_rows: int) -> slice:
        """Which of so many rows are this worker's: the shares differ by one row at most, and some may be empty."""
        return slice(self.rank * num_rows // self.size, (self.rank + 1) * num_rows // self.size)

    def sum(self, tensors: list[torch.Tensor]) -> None:
        """Each tensor becomes its sum over the workers, by one message for all of them."""
        whole = parameters_to_vector(tensors)
        _with_all(lambda: distributed.all_reduce(whole))
        vector_to_parameters(whole, tensors)

    def tell(self, *command: Any) -> None:
        """To be called by the worker that leads, once for each `hear` of the others."""
        _with_all(lambda: distributed.broadcast_object_list([command], src=0))

    def hear(self) -> tuple[Any, ...]:
        """What the worker that leads says next."""
        heard: list[Any] = [None]
        _with_all(lambda: distributed.broadcast_object_list(heard, src=0))
        return heard[0]


def _with_all(step: Callable[[], Result]) -> Result:
    """gloo and NCCL tell of a process that is gone by plain RuntimeErrors, which say no more than that."""
    try:
        return step()
    except RuntimeError as error:
        raise WorkerLost(str(error)) from error
