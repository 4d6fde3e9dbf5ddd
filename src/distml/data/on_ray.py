"""The engine that spreads a pass over a Ray cluster with Ray Data."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import Any, Generic

import numpy as np
import ray

from distml.code import carried
from distml.data.engine import Argument, Item, Maker, Note, Reader, Result, Shelf
from distml.errors import DistmlError

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
            attempt, all_items = _loaded(shared)
            return {"index": row["id"], "outcome": ray.cloudpickle.dumps(attempt(all_items[row["id"]]))}

        dataset = ray.data.range(len(items), override_num_blocks=len(items)).map(apply, num_cpus=cpu, num_gpus=gpu)
        rows = sorted(dataset.take_all(), key=lambda row: row["index"])
        return _raised([ray.cloudpickle.loads(row["outcome"]) for row in rows])

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

    def shelve(
        self, read: Reader[Item], make: Maker[Item, Note], items: Sequence[Item], *, cpu: float = 1, gpu: float = 0
    ) -> Shelf[Note]:
        """Tables are blocks of a Ray Dataset: in the object store, spilled when it is full, made again when lost."""
        return RayShelf(read, make, items, cpu=cpu, gpu=gpu)


class RayShelf(Generic[Note]):
    """Implements `Shelf` as a materialised dataset whose rows are an item, a block's number, its note and its table."""

    def __init__(
        self, read: Reader[Item], make: Maker[Item, Note], items: Sequence[Item], *, cpu: float, gpu: float
    ) -> None:
        self.notes: list[Note] = []
        self._places: list[tuple[int, int]] = []
        self._dataset: Any = None
        if not items:
            return
        import ray.data

        _quiet()
        shared = ray.put((read, carried(make), list(items)))
        indices = ray.data.range(len(items), override_num_blocks=len(items))
        made = indices.map_batches(partial(_make_all, [shared]), **_by_block(cpu, gpu))
        self._dataset = made.materialize()
        if not self._dataset.count():
            return
        told = sorted(self._dataset.select_columns(["item", "number", "note"]).take_all(), key=_place_of)
        self.notes = _raised([ray.cloudpickle.loads(row["note"]) for row in told])
        self._places = [_place_of(row) for row in told]

    def map(
        self, function: Callable[[Any, Argument], Result], arguments: Sequence[Argument | None], *, cpu: float = 1,
        gpu: float = 0,
    ) -> list[Result]:  # fmt: skip
        assert len(arguments) == len(self.notes), "an argument for each table"
        given = {
            place: argument
            for place, argument in zip(self._places, arguments, strict=True)
            if argument is not None
        }  # fmt: skip
        if not given:
            return []
        shared = ray.put((carried(function), given))
        results = self._dataset.map_batches(partial(_apply_all, [shared]), **_by_block(cpu, gpu))
        return _raised([ray.cloudpickle.loads(row["outcome"]) for row in sorted(results.take_all(), key=_place_of)])

    def close(self) -> None:
        self._dataset = None
        gc.collect()  # a dataset refers to itself, and its blocks fill the object store until it goes


def _raised(outcomes: list[Any]) -> list[Any]:
    """The outcomes, unless one is an error of the data."""
    for outcome in outcomes:
        if isinstance(outcome, DistmlError):
            raise outcome
    return outcomes


def _place_of(row: dict[str, Any]) -> tuple[int, int]:
    return row["item"], row["number"]


def _by_block(cpu: float, gpu: float) -> dict[str, Any]:
    """How a function is given blocks as they are; where a GPU is reserved Ray wants a size, and gives single rows."""
    return {
        "batch_size": 1 if gpu else None, "batch_format": "pyarrow", "zero_copy_batch": True, "num_cpus": cpu,
        "num_gpus": gpu,
    }  # fmt: skip


def _check_attempts() -> None:
    """Raises `DistmlError` in a task that has killed too many workers: Ray Data would begin it again for ever."""
    # Ray Data's own number of retries can't be set any more.
    if ray._private.worker.global_worker.core_worker.get_current_task_attempt_number() >= MAX_ATTEMPTS:
        raise _mortal()


def _mortal() -> DistmlError:
    return DistmlError(
        "a worker lives until its work is done",
        received=f"{MAX_ATTEMPTS} that died, one after another, of the same piece of it",
        remedy="mostly memory runs out: make the pieces smaller, or run where there is more of it",
    )


def _make_all(shared: list[Any], block: Any) -> Iterator[Any]:
    """Every block of some items, as rows of the shelf's dataset; an error of the data is an item's last note."""
    read, make, items = _loaded(shared[0])
    for item in block.column("id").to_pylist():
        number = 0
        try:
            _check_attempts()
            for raw in read(items[item]):
                note, table = make(items[item], number, raw)
                yield _shelf_row(item, number, note, table)
                number += 1
        except DistmlError as error:
            yield _shelf_row(item, number, error, None)


def _apply_all(shared: list[Any], block: Any) -> Iterator[Any]:
    """A function of each of a block's tables that has an argument."""
    import pyarrow as pa

    function, given = _loaded(shared[0])
    places = zip(block.column("item").to_pylist(), block.column("number").to_pylist(), strict=True)
    tables = block.column("table")
    for i, place in enumerate(places):
        if place in given:
            table = pa.ipc.open_stream(tables[i].as_buffer()).read_all()
            outcome = ray.cloudpickle.dumps(_attempt(partial(_apply_one, function, table), given[place]))
            yield pa.table(
                {"item": [place[0]], "number": [place[1]], "outcome": pa.array([outcome], pa.large_binary())}
            )


def _apply_one(function: Callable[[Any, Any], Any], table: Any, argument: Any) -> Any:
    _check_attempts()
    return function(table, argument)


def _loaded(reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RaySystemError as error:
        # Left as it is, Ray would run the task again for ever.
        raise ImportError(f"install on every node what this one can't load: {error}") from None


def _shelf_row(item: int, number: int, note: Any, table: Any) -> Any:
    import pyarrow as pa

    content = None
    if table is not None:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        content = sink.getvalue()
    return pa.table(
        {
            "item": pa.array([item], pa.int64()),
            "number": pa.array([number], pa.int64()),
            "note": pa.array([ray.cloudpickle.dumps(note)], pa.large_binary()),
            "table": _one_binary(content),
        }
    )


def _one_binary(content: Any) -> Any:
    """A pyarrow array of one buffer, without a copy; of one null for `None`."""
    import pyarrow as pa

    if content is None:
        return pa.nulls(1, pa.large_binary())
    offsets = pa.py_buffer(np.array([0, content.size], np.int64))
    return pa.Array.from_buffers(pa.large_binary(), 1, [None, offsets, content])


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
        # Ray would give an item that kills its actor to the next one, for ever.
        if ray.get(self._attempts.begin.remote(index)) > MAX_ATTEMPTS:
            raise _mortal()
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
