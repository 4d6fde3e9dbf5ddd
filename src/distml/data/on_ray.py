"""The engine that spreads a pass over a Ray cluster with Ray Data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import ray

from distml.errors import DistmlError

Item = TypeVar("Item")
Result = TypeVar("Result")


class RayEngine:
    """Implements `Engine`: each item is a row of a Ray Dataset, and so a task of its own.

    Functions must be idempotent, because Ray runs a task again when its worker dies. Results travel as bytes within
    the dataset's blocks, which Ray makes again when they are lost; what a worker puts itself would die with it.
    """

    name = "ray"

    def map(
        self, function: Callable[[Item], Result], items: Sequence[Item], *, cpu: float = 1, gpu: float = 0
    ) -> list[Result]:
        if not items:
            return []
        import ray.cloudpickle
        import ray.data

        _quiet()
        # The function and the items travel once, not with every task.
        shared = ray.put((partial(_attempt, function), list(items)))

        def apply(row: dict[str, Any]) -> dict[str, Any]:
            try:
                attempt, all_items = ray.get(shared)
            except ray.exceptions.RaySystemError as error:
                # Left as it is, Ray would run the task again for ever.
                raise ImportError(f"install on every node what this one can't load: {error}") from None
            return {"index": row["id"], "outcome": ray.cloudpickle.dumps(attempt(all_items[row["id"]]))}

        dataset = ray.data.range(len(items), override_num_blocks=len(items)).map(apply, num_cpus=cpu, num_gpus=gpu)
        rows = sorted(dataset.take_all(), key=lambda row: row["index"])
        outcomes = [ray.cloudpickle.loads(row["outcome"]) for row in rows]
        for outcome in outcomes:
            if isinstance(outcome, DistmlError):
                raise outcome
        return outcomes


def _attempt(function: Callable[[Item], Result], item: Item) -> Result | DistmlError:
    """The function's result, or its error as a value: raised, it would reach the driver as the text of Ray's frames."""
    try:
        return function(item)
    except DistmlError as error:
        return error


def _quiet() -> None:
    import logging

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # it warns that its progress bars are off
