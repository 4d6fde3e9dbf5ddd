"""Small packages, fitted on small seeded tables."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from distml.clean import RowCleaner
from distml.config import FeaturesConfig
from distml.config.data import DataConfig
from distml.config.train import TrainConfig
from distml.features import fit_features
from distml.hashing import row_hashes
from distml.metrics import metric_for
from distml.models import FAMILIES, ModelSpec
from distml.package import Baseline, Member, ModelPackage
from distml.postprocess import Postprocess
from distml.predictor import with_golden
from distml.schema import Column, Schema
from distml.summary import TableSummary
from distml.target import fit_target
from distml.training import FitSettings, fit


def table_of(task: str, n: int = 300, seed: int = 0) -> pa.Table:
    """Columns `size`, `colour` and the target `y`, which follows from them but for noise."""
    rng = np.random.default_rng(seed)
    size, colour = rng.normal(size=n), rng.choice(["red", "green", "blue"], n)
    signal = size + (colour == "red") + 0.3 * rng.normal(size=n)
    targets: dict[str, Any] = {
        "binary": np.where(signal > 0.3, "yes", "no"),
        "multiclass": np.array(["low", "mid", "top"])[np.digitize(signal, [0.0, 1.0])],
        "regression": 100 + 10 * signal,
    }
    return pa.table({"size": size, "colour": colour, "y": targets[task]})


def package_of(task: str, family: str = "linear", epochs: int = 20, optional: Collection[str] = ()) -> ModelPackage:
    is_number = task == "regression"
    schema = Schema(
        (
            Column(name="size", kind="numeric", dtype="number"),
            Column(name="colour", kind="categorical", dtype="string"),
            Column(
                name="y",
                kind="numeric" if is_number else "categorical",
                dtype="number" if is_number else "string",
                role="target",
            ),
        )
    ).with_optional(optional)
    cleaner = RowCleaner(schema=schema)
    table = cleaner.apply(table_of(task)).table
    summary = TableSummary({column.name: column.kind for column in schema.columns}, sample_size=1000)
    summary.update(table, row_hashes(table))
    target = fit_target(schema, summary, DataConfig(source={"uri": "table.csv"}, target="y"))
    pipeline = fit_features(FAMILIES[family].recipe, cleaner, summary, FeaturesConfig()).pipeline
    spec = ModelSpec(
        family=family,
        params=FAMILIES[family].complete({}),
        input=pipeline.input_spec(target.num_outputs),
        task=target.task,
    )
    rows = pipeline.encode(table, target=target)
    settings = FitSettings(config=TrainConfig(max_epochs=epochs))
    model = fit(spec, rows, None, metric_for("auto", target.task), settings).model
    inputs = TableSummary({})
    inputs.columns = {column.name: summary.columns[column.name] for column in schema.features}
    return ModelPackage(
        name="shop",
        schema=schema,
        members=(Member(model=model, pipeline=pipeline),),
        postprocess=Postprocess(weights=(1.0,), target=target),
        baseline=Baseline(inputs=inputs, predictions=TableSummary({})),
    )


def saved(root: Path) -> Path:
    """A folder with the packages 1 to 4, of which the fourth is damaged."""
    for number in range(1, 5):
        made = package_of("binary", epochs=number)
        with_golden(made, RowCleaner(schema=made.schema).apply(table_of("binary")).table).save(root / str(number))
    weights = next((root / "4" / "members" / "0").glob("weights*"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    return root
