"""Small seeded tables of images that a model can learn from."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa

from distml.clean import RowCleaner
from distml.config import CleanConfig, DataConfig, FeaturesConfig
from distml.config.train import TrainConfig
from distml.features import fit_features
from distml.hashing import row_hashes
from distml.images import encode, tensor_array
from distml.metrics import METRICS
from distml.models import FAMILIES, ModelSpec
from distml.package import Baseline, Member, ModelPackage
from distml.postprocess import Postprocess
from distml.predictor import with_golden
from distml.schema import infer_schema
from distml.summary import TableSummary
from distml.target import fit_target
from distml.training import FitSettings, fit
from distml.window import summarise_predictions


def bars(
    n: int = 120, seed: int = 0, size: tuple[int, int] = (8, 8), channels: int = 1
) -> tuple[np.ndarray, list[str]]:
    """uint8 [n, h, w, ch] of noise with a bright bar, and which way it lies: "upright" in the left half or "lying" in
    the lower one."""
    rng = np.random.default_rng(seed)
    h, w = size
    pixels = rng.integers(0, 60, (n, h, w, channels), np.uint8)
    is_upright = rng.random(n) < 0.5
    rows, columns = rng.integers(h // 2, h, n), rng.integers(0, max(1, w // 2), n)
    for image, row, column, upright in zip(pixels, rows, columns, is_upright, strict=True):
        image[(slice(None), column) if upright else row] = 255
    return pixels, np.where(is_upright, "upright", "lying").tolist()


def picture_table(n: int = 120, *, kind: str = "tensor", seed: int = 0, **shape: Any) -> pa.Table:
    """Columns `image` (tensors, or encoded as png or jpeg), `size` and the class `y` to learn."""
    pixels, labels = bars(n, seed, **shape)
    image = tensor_array(pixels) if kind == "tensor" else pa.array([written(one, kind) for one in pixels])
    return pa.table({"image": image, "size": np.random.default_rng(seed).normal(size=n), "y": labels})


def written(pixels: np.ndarray, kind: str = "png") -> bytes:
    """uint8 [h, w, ch] as an encoded image."""
    if kind == "png":
        return encode(pixels)
    from PIL import Image

    sink = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(sink, kind)
    return sink.getvalue()


def picture_package(family: str, kind: str = "tensor", **config: Any) -> ModelPackage:
    """A package fitted on a table of images and numbers, with golden rows."""
    table = picture_table(kind=kind)
    data = DataConfig.model_validate({"source": {"uri": "memory"}, "target": "y", **config})
    cleaner = RowCleaner.from_config(infer_schema(table, data), data.source, CleanConfig())
    cleaned = cleaner.apply(table).table
    summary = TableSummary({column.name: column.kind for column in cleaner.schema.kept}, sample_size=1000)
    summary.update(cleaned, row_hashes(cleaned))
    target = fit_target(cleaner.schema, summary, data)
    pipeline = fit_features(FAMILIES[family].recipe, cleaner, summary, FeaturesConfig()).pipeline
    spec = ModelSpec(
        family=family, params=FAMILIES[family].complete({}), input=pipeline.input_spec(2), task="binary"
    )  # fmt: skip
    batch = pipeline.encode(cleaned, target=target)
    model = fit(spec, batch, None, METRICS["roc_auc"], FitSettings(config=TrainConfig(max_epochs=5))).model
    postprocess = Postprocess(weights=(1.0,), target=target)
    baseline = Baseline(
        inputs=TableSummary({"image": "image", "size": "numeric"}),
        predictions=summarise_predictions(postprocess([model.predict(batch)])),
    )
    member = Member(model=model, pipeline=pipeline)
    package = ModelPackage(
        name="demo", schema=cleaner.schema, members=(member,), postprocess=postprocess, baseline=baseline
    )  # fmt: skip
    return with_golden(package, cleaned)
