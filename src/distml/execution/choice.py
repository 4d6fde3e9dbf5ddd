"""Which engine a member predicts with: each that there is, timed on the rows that requests have, on one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from math import prod
from time import thread_time
from typing import Any

import numpy as np

from distml.batch import FeatureBatch
from distml.execution.export import NotExported, export
from distml.models import FAMILIES, Model

SIZES = (1, 16, 1000)  # rows: a request, a full batch of them, a request of many
_ROUNDS = 3
_ROUND_S = 0.02
_MARGIN = 0.9  # of torch's time that ONNX Runtime has to stay below, so that a draw isn't decided by chance


_Times = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, kw_only=True)
class Execution:
    """How a member is executed. us: microseconds of one thread by engine and number of rows, where it was measured.

    group and rows_at_once: of an exported network, as `OnnxModel` takes them.
    """

    engine: str
    why: str
    us: _Times = field(default_factory=dict)
    group: int | None = None
    rows_at_once: int | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Execution:
        return cls(**value)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What came of trying a member's engines. onnx: the file, where there is one that predicts alike."""

    execution: Execution
    onnx: bytes | None = None


def own_engine(family: str) -> str:
    """What a family's models are fitted with, and predict with where nothing else was measured to be better."""
    return "lightgbm" if FAMILIES[family].kind == "trees" else "torch"


def choose(model: Any, batch: FeatureBatch) -> Trial:
    """Exports a network where it can be, times what there is on rows of a batch, and takes the fastest.

    Fastest is the least product of the times at all sizes. model: on the CPU, as it was fitted.
    """
    own = own_engine(model.spec.family)
    if own == "lightgbm":
        why = "trees are predicted by LightGBM"
        return Trial(execution=Execution(engine=own, why=why, us=_timed({own: model}, batch)))
    try:
        exported = export(model, batch)
    except NotExported as reason:
        why = f"not exported: {reason}"
        return Trial(execution=Execution(engine=own, why=why, us=_timed({own: model}, batch)))
    at_once = model.rows_at_once
    us = _timed({own: model, "onnx": exported.model(model.spec, at_once, threads=1)}, batch)
    engine, why = _fastest(us)
    execution = Execution(engine=engine, why=why, us=us, group=exported.group, rows_at_once=at_once)
    return Trial(execution=execution, onnx=exported.content)


def _fastest(us: _Times) -> tuple[str, str]:
    """The engine, and why."""
    shares = {size: us["onnx"][size] / us["torch"][size] for size in us["torch"]}
    is_faster = prod(shares.values()) < _MARGIN ** len(shares)
    told = ", ".join(f"{share:.2f} at {size}" for size, share in shares.items())
    return "onnx" if is_faster else "torch", f"ONNX Runtime takes this share of torch's time, by rows: {told}"


def _timed(engines: Mapping[str, Model], batch: FeatureBatch) -> dict[str, dict[str, float]]:
    """Microseconds of this thread's CPU time by engine and number of rows, the least of a few rounds in turn."""
    us: dict[str, dict[str, float]] = {name: {} for name in engines}
    if not len(batch):
        return us
    with _one_thread():
        for size in SIZES:
            rows = batch.take(np.resize(np.arange(len(batch)), size))
            calls: dict[str, Callable[[], Any]] = {
                name: lambda model=model, rows=rows: model.predict(rows)  # type: ignore[misc]
                for name, model in engines.items()
            }
            for name, seconds in _least_seconds(calls).items():
                us[name][str(size)] = round(seconds * 1e6, 1)
    return us


def _least_seconds(calls: Mapping[str, Callable[[], Any]]) -> dict[str, float]:
    counts = {name: max(1, min(100, int(_ROUND_S / max(_seconds(call, 2), 1e-7)))) for name, call in calls.items()}
    least = {name: _seconds(call, counts[name]) for name, call in calls.items()}
    for _ in range(_ROUNDS - 1):
        for name, call in calls.items():
            least[name] = min(least[name], _seconds(call, counts[name]))
    return least


def _seconds(call: Callable[[], Any], times: int) -> float:
    start = thread_time()
    for _ in range(times):
        call()
    return (thread_time() - start) / times


@contextmanager
def _one_thread() -> Iterator[None]:
    """torch on one thread, as long as it lasts."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
