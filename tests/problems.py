"""Small seeded problems that a model can learn, as feature batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from distml.batch import FeatureBatch, InputSpec, TensorSpec
from distml.config.train import TrainConfig
from distml.models import FAMILIES, ModelSpec
from distml.training import FitSettings

TASKS = ("binary", "multiclass", "regression")
IMAGES = {
    "photo": TensorSpec(shape=(3, 6, 5), mean=(120.0, 120.0, 120.0), std=(40.0, 40.0, 40.0)),
    "a.scan": TensorSpec(shape=(1, 4, 4), mean=(120.0,), std=(40.0,)),
}
NUM_OUTPUTS = {"binary": 2, "multiclass": 3, "regression": 1}
CARDINALITIES = (5,)


def problem(
    task: str,
    n: int = 300,
    *,
    num_numeric: int = 3,
    cardinalities: Sequence[int] = CARDINALITIES,
    noise: float = 0.5,
    seed: int = 0,
) -> FeatureBatch:
    """n rows whose target is a noisy sum over the columns; the same sum whatever the seed."""
    rng = np.random.default_rng(seed)
    numeric = rng.normal(size=(n, num_numeric)).astype(np.float32)
    columns = [rng.integers(0, k, n) for k in cardinalities]
    signal = numeric @ np.array([1.5 * (-1) ** i / (i + 1) for i in range(num_numeric)])
    for k, codes in zip(cardinalities, columns, strict=True):
        signal = signal + np.linspace(-1.5, 1.5, k)[codes]
    signal = signal + noise * rng.normal(size=n)
    targets = {
        "binary": (signal > 0).astype(np.int64),
        "multiclass": np.digitize(signal, [-1.0, 1.0]).astype(np.int64),
        "regression": (signal / 2).astype(np.float32),
    }
    categorical = np.column_stack(columns) if columns else np.empty((n, 0), np.int64)
    return FeatureBatch(numeric=numeric, categorical=categorical.astype(np.int64), target=targets[task])


def input_of(task: str, num_numeric: int = 3, cardinalities: Sequence[int] = CARDINALITIES) -> InputSpec:
    return InputSpec(num_numeric=num_numeric, cardinalities=tuple(cardinalities), num_outputs=NUM_OUTPUTS[task])


def spec_of(family: str, task: str, params: dict[str, Any] | None = None, **shape: Any) -> ModelSpec:
    """A spec for the batches of `problem`."""
    return ModelSpec(
        family=family,
        params=FAMILIES[family].complete(params or {}),
        input=input_of(task, **shape),
        task=task,  # type: ignore[arg-type]
    )


def settings_of(**values: Any) -> FitSettings:
    """Settings of a fit: keys of the section `train`, and a setting's own names for the rest."""
    of_config = {name: values.pop(name) for name in list(values) if name in TrainConfig.model_fields}
    return FitSettings(config=TrainConfig(**of_config), **values)


def with_images(batch: FeatureBatch, seed: int = 0) -> FeatureBatch:
    """The batch with two columns of images, whose brightness follows the target."""
    rng = np.random.default_rng(seed)
    signal = np.asarray(batch.target, float)
    level = 60 + 100 * (signal - signal.min()) / np.ptp(signal)
    tensors = {
        name: (level[:, None, None, None] + rng.integers(0, 40, (len(batch), *spec.shape))).astype(np.uint8)
        for name, spec in IMAGES.items()
    }
    return replace(batch, tensors=tensors)


def read_only(batch: FeatureBatch) -> FeatureBatch:
    """The batch as Ray's object store would hand it out."""
    arrays = {name: array.copy() for name, array in batch.arrays().items()}
    for array in arrays.values():
        array.flags.writeable = False
    return FeatureBatch.from_arrays(arrays)
