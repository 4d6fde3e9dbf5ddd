"""What a fitted model costs: the objectives beside the score, measured in its trial's own process."""

from __future__ import annotations

import re
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from distml.batch import FeatureBatch
from distml.config.search import Cost
from distml.models import Model

COSTS: tuple[Cost, ...] = ("latency_ms", "size_mb", "num_params")
_NUM_ROWS = 50
_WARM_UP_ROWS = 5


def measure(model: Model, batch: FeatureBatch, costs: Iterable[Cost] = COSTS) -> dict[str, float]:
    """A model's costs by name, each to be low. batch: rows as the model takes them, at least one.

    latency_ms: the median over 50 predictions of one row each, in milliseconds, on the model's own device. It is the
    one objective that another machine, or a busy one, measures otherwise. size_mb: the stored model, in megabytes of
    10**6 bytes. num_params: the numbers that were fitted; of trees their leaves and thresholds.
    """
    own = {"latency_ms": lambda: _latency_ms(model, batch), "size_mb": lambda: _size_mb(model),
           "num_params": lambda: float(_num_params(model))}  # fmt: skip
    return {name: own[name]() for name in costs}


def _latency_ms(model: Model, batch: FeatureBatch) -> float:
    rows = [batch.take(slice(i % len(batch), i % len(batch) + 1)) for i in range(_WARM_UP_ROWS + _NUM_ROWS)]
    times = []
    for row in rows:
        began = time.perf_counter()
        model.predict(row)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times[_WARM_UP_ROWS:])


def _size_mb(model: Model) -> float:
    with tempfile.TemporaryDirectory(prefix="distml-") as folder:
        model.save(Path(folder))
        return sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file()) / 1e6


def _num_params(model: Any) -> int:
    if hasattr(model, "booster"):
        leaves = re.findall(r"^num_leaves=(\d+)$", model.booster.model_to_string(num_iteration=-1), re.MULTILINE)
        return sum(2 * int(count) - 1 for count in leaves)  # a binary tree has a threshold less than leaves
    return sum(parameter.numel() for parameter in model.module.parameters())
