"""Tables to look at: clean ones of every kind of column, and an inspection of a file as `validate` makes it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from distml.config import RunConfig
from distml.data import LocalEngine
from distml.inspection.inspect import Inspection, inspect
from distml.inspection.observation import Observation
from distml.lifecycle.validate import fit_cleaner


def config_of(path: str | Path, target: str = "y", **sections: Any) -> RunConfig:
    """A config that says nothing of a table but where it is, unless told more."""
    data = sections.pop("data", {})
    source = {"uri": str(path), **data.pop("source", {})}
    return RunConfig.model_validate(
        {"name": "t", "data": {"source": source, "target": target, **data}, "storage": "unused", **sections}
    )


def inspected(path: str | Path, target: str = "y", **sections: Any) -> Inspection:
    config = config_of(path, target, **sections)
    return inspect(config, fit_cleaner(config), LocalEngine())


def seen(found: Inspection, kind: str, column: str | None = None, table: str = "source") -> Observation | None:
    """The observation of a kind and column."""
    chosen = [o for o in found.observations if (o.kind, o.column, o.table) == (kind, column, table)]
    assert len(chosen) <= 1, chosen
    return chosen[0] if chosen else None


def count(found: Inspection, kind: str, column: str | None = None, table: str = "source") -> int:
    observation = seen(found, kind, column, table)
    return 0 if observation is None else observation.count


def clean_frame(n: int = 2000, seed: int = 0, target: str = "class") -> pd.DataFrame:
    """Rows with nothing wrong: every common distribution, categories of every skew, dates, gaps by chance."""
    rng = np.random.default_rng(seed)
    start = datetime(2023, 1, 1)
    ranks = np.arange(1, 31)
    zipf = (1 / ranks) / (1 / ranks).sum()
    normal = rng.normal(50, 10, n)
    frame = pd.DataFrame(
        {
            "normal": normal.round(3),
            "centred": rng.normal(size=n),
            "lognormal": rng.lognormal(3, 1, n),
            "wide": rng.lognormal(0, 2, n),
            "poisson": rng.poisson(4, n),
            "rare_events": rng.poisson(0.3, n),
            "uniform": rng.integers(0, 1000, n),
            "dice": rng.integers(1, 7, n),
            "exponential": rng.exponential(10, n).round(2),
            "heavy": rng.standard_t(3, n),
            "pareto": rng.pareto(2, n),
            "share": rng.beta(2, 5, n),
            "gaps": np.where(rng.random(n) < 0.05, np.nan, rng.gamma(2, 2, n)),
            "holes": np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n)),
            "zipf": rng.choice([f"item{k:02d}" for k in ranks], n, p=zipf),
            "city": rng.choice(["Rome", "Paris", "Oslo", "Bern"], n, p=[0.4, 0.3, 0.2, 0.1]),
            "member": rng.choice(["true", "false"], n),
            "day": [(start + timedelta(days=int(d))).date().isoformat() for d in rng.integers(0, 700, n)],
            "at": [(start + timedelta(seconds=int(s))).isoformat(sep=" ") for s in rng.integers(0, 6e7, n)],
        }
    )
    signal = (normal - 50) / 10 + frame["centred"] + np.log(frame["lognormal"]) - 3 + 2 * rng.normal(size=n)
    if target == "class":
        return frame.assign(y=np.where(signal > 0, "yes", "no"))
    if target == "three":
        return frame.assign(y=rng.choice(["a", "b", "c"], n, p=[0.5, 0.3, 0.2]))
    return frame.assign(y=signal)
