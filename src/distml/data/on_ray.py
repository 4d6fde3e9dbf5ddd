"""The engine that spreads a pass over a Ray cluster with Ray Data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any, TypeVar

import ray

from distml.code import carried
from distml.errors import DistmlError

Item = TypeVar("Item")
Result = TypeVar("Result")
MAX_ATTEMPTS = 4


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
        shared = ray.put((partial(_attempt, carried(function)), list(items)))

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

    def map_with(
        self, build: Callable[[], Callable[[Item], Result]], items: Sequence[Item], *, cpu: float = 1, gpu: float = 0
    ) -> Generator[Result, None, None]:
        """A pool of actors, as many as the cluster holds; an item that kills its workers is given up."""
        if not items:
            return
        import ray.cloudpickle
        import ray.data

        _quiet()
        size = min(len(items), _num_fitting(cpu, gpu))
        # Blocks that are there already: tasks that made them would wait for CPUs that the pool holds.
        indices = ray.data.from_items([{"index": i} for i in range(len(items))], override_num_blocks=len(items))
        dataset = indices.map(
            _Worker,
            fn_constructor_args=([ray.put((carried(build), list(items)))], ray.remote(num_cpus=0)(_Attempts).remote()),
            # All from the start, as Ray adds actors only to ones that queue; and none queues, as items may be long.
            compute=ray.data.ActorPoolStrategy(size=size, max_tasks_in_flight_per_actor=1),
            num_cpus=cpu,
            num_gpus=gpu,
        )
        outcomes: dict[int, Any] = {}
        num_told = 0
        for row in dataset.iter_rows():
            outcomes[row["index"]] = ray.cloudpickle.loads(row["outcome"])
            while num_told in outcomes:
                outcome = outcomes.pop(num_told)
                if isinstance(outcome, DistmlError):
                    raise outcome
                yield outcome
                num_told += 1


class _Worker:
    """An actor's function, built when its first item comes."""

    def __init__(self, shared: list[Any], attempts: Any) -> None:
        self._shared = shared[0]  # in a list a reference stays one
        self._attempts = attempts
        self._function: Callable[[Any], Any] | None = None
        self._items: list[Any] = []

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        return {"index": row["index"], "outcome": ray.cloudpickle.dumps(_attempt(self._apply, row["index"]))}

    def _apply(self, index: int) -> Any:
        # Ray would give an item that kills its worker to the next one, for ever.
        if ray.get(self._attempts.begin.remote(index)) > MAX_ATTEMPTS:
            raise DistmlError(
                "a worker lives until its work is done",
                received=f"{MAX_ATTEMPTS} that died, one after another, of the same piece of it",
                remedy="mostly memory runs out: make the pieces smaller, or run where there is more of it",
            )
        if self._function is None:
            self._function = self._build()
        return self._function(self._items[index])

    def _build(self) -> Callable[[Any], Any]:
        try:
            build, self._items = ray.get(self._shared)
        except ray.exceptions.RaySystemError as error:
            raise DistmlError(
                "a worker loads what it is to run",
                received=str(error).splitlines()[0],  # the others are frames
                remedy="install it on every node",
            ) from None
        return build()


class _Attempts:
    """How often workers have begun each item; an actor, so that it outlives them."""

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()

    def begin(self, index: int) -> int:
        self._begun[index] += 1
        return self._begun[index]


def _num_fitting(cpu: float, gpu: float) -> int:
    """How many workers the cluster holds at once; one at least, for a cluster that grows."""
    total = ray.cluster_resources()
    wanted = {"CPU": cpu, "GPU": gpu}
    return max(1, min(int(total.get(resource, 0) // amount) for resource, amount in wanted.items() if amount))


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
    # It warns that its progress bars are off, and shows the frames of errors that it raises as well.
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
