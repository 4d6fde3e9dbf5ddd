"""`Predictor`: raw table to predictions, by the one path that evaluation, batch scoring and HTTP share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from distml.batch import FeatureBatch
from distml.clean import Cleaned
from distml.errors import DataError, PackageError
from distml.features import FeaturePipeline
from distml.features.few import MAX_ROWS as MAX_FEW
from distml.features.few import FewRows
from distml.package import Golden, ModelPackage
from distml.postprocess import Prediction
from distml.records import records_from_table, table_from_records
from distml.schema import Schema

NUM_GOLDEN = 16
_WARM_SIZES, _WARM_ROUNDS = (1, 16, MAX_FEW), 3
_GOLDEN_PIXELS = 1 << 18  # of images in all golden rows, but for two rows, which every package has


class Predictor:
    """Predicts with one package. Thread-safe: nothing changes after construction."""

    def __init__(self, package: ModelPackage) -> None:
        self.package = package
        self.schema: Schema = package.schema
        self.has_images = any(column.kind == "image" for column in self.schema.features)
        # Every member was fitted on the same cleaned rows, so a request is cleaned once.
        self._cleaner = package.members[0].pipeline

    @classmethod
    def load(cls, folder: str | Path, device: str = "cpu") -> Predictor:
        """Verifies a package's checksums, loads it and replays its golden rows, on the engines that will predict.

        device: where torch computes, `cpu` or `cuda`. Raises `PackageError` when it is damaged or doesn't reproduce the
        predictions that it was made with, `UsageError` for a device that isn't here.
        """
        predictor = cls(ModelPackage.load(Path(folder), device=device))
        predictor.replay(str(folder))
        return predictor

    @property
    def engines(self) -> tuple[str, ...]:
        """What each member is predicted with: torch, onnx or lightgbm; empty unless it was loaded from a folder."""
        return tuple(member.engine for member in self.package.members if member.engine is not None)

    @property
    def notes(self) -> tuple[str, ...]:
        """What isn't as it was measured to be best, and how to have it so; each for people."""
        return tuple(dict.fromkeys(member.note for member in self.package.members if member.note is not None))

    def predict(self, table: Any) -> Prediction:
        """Predictions for every row of a raw pyarrow table or pandas frame.

        Raises `DataError` for a row that cleaning would drop, quarantine or fail; `predict_kept` leaves those out.
        """
        cleaned, prediction = self.predict_kept(table)
        if not cleaned.kept.all():
            cleaned.raise_failures("the table")
            broken = next(finding for finding in cleaned.findings if finding.action in ("drop", "quarantine"))
            row, value = broken.examples[0]
            raise DataError(
                broken.rule,
                received=value,
                where=f"row {row}, column {broken.column}",
                remedy="correct the row; training leaves such rows out",
            )
        return prediction

    def predict_kept(self, table: Any) -> tuple[Cleaned, Prediction]:
        """The cleaned rows, which rows were kept, and predictions for those."""
        cleaned = self._cleaner.clean(as_arrow(table))
        return cleaned, self.predict_cleaned(cleaned.table)

    def predict_few(self, records: Sequence[Mapping[str, Any]]) -> Prediction | None:
        """As `predict`, of at most `MAX_FEW` JSON rows, and sooner; None where they have to go the way of tables.

        That is where something is unusual about a value, which the way of tables repairs or refuses.
        """
        if len(records) > MAX_FEW or None in self._few.values():
            return None
        batches = {}
        for key, few in self._few.items():
            batch = few.encode(records) if few is not None else None
            if batch is None:
                return None
            batches[key] = batch
        return self._answer(batches)

    @cached_property
    def _few(self) -> dict[int, FewRows | None]:
        return {key: FewRows.of(pipeline) for key, pipeline in self._pipelines.items()}

    @cached_property
    def _pipelines(self) -> dict[int, FeaturePipeline]:
        """The members' pipelines, each once: by `id`, as they are not equal by content but shared."""
        return {id(member.pipeline): member.pipeline for member in self.package.members}

    def _answer(self, batches: Mapping[int, FeatureBatch]) -> Prediction:
        members = self.package.members
        return self.package.postprocess([member.model.predict(batches[id(member.pipeline)]) for member in members])

    def clean(self, table: Any) -> Cleaned:
        """The features of a raw pyarrow table, cleaned."""
        return self._cleaner.clean(table)

    def predict_cleaned(self, cleaned: Any) -> Prediction:
        """Predictions for a cleaned pyarrow table."""
        return self._answer({key: pipeline.encode(cleaned) for key, pipeline in self._pipelines.items()})

    def warm_up(self) -> None:
        """Predicts golden rows as requests would, alone and many, so that the first request finds everything made."""
        golden = [] if self.package.golden is None else self.package.golden.rows
        for size in _WARM_SIZES if golden else ():
            # Of images no more than there are: they are slow to read, and nothing is made for many of them.
            rows = golden[:size] if self.has_images else [golden[i % len(golden)] for i in range(size)]
            for _ in range(_WARM_ROUNDS):
                self.predict_few(rows)
                self.predict(table_from_records(rows, self.schema))

    def replay(self, where: str = "the package") -> None:
        """Predicts the golden rows; `PackageError` when the scores differ by more than the tolerance."""
        golden = self.package.golden
        if golden is None:
            raise PackageError("a package has golden rows", where=where, remedy="pack the model again")
        try:
            scores = self.predict(table_from_records(golden.rows, self.schema)).scores
        except DataError as error:
            raise PackageError("a package takes its own golden rows", received=str(error), where=where) from error
        wanted = np.asarray(golden.scores, float)
        if scores.shape != wanted.shape or not np.allclose(
            scores, wanted, rtol=golden.tolerance, atol=golden.tolerance
        ):
            gap = float(np.max(np.abs(scores - wanted))) if scores.shape == wanted.shape else None
            raise PackageError(
                "a loaded package predicts its golden rows as it did when it was made",
                received=f"scores of shape {scores.shape}, off by up to {gap}",
                where=where,
                remedy="compare torch, onnxruntime and lightgbm here with the versions in the manifest's lineage",
            )


def with_golden(package: ModelPackage, cleaned: Any) -> ModelPackage:
    """The package with golden rows taken from a cleaned pyarrow table, private columns left out as null."""
    table = cleaned.select([column.name for column in package.schema.inputs]).slice(0, num_golden(package.schema))
    private = {column.name for column in package.schema.columns if column.private}
    rows = [
        {name: None if name in private else value for name, value in record.items()}
        for record in records_from_table(table)
    ]
    scores = Predictor(package).predict(table_from_records(rows, package.schema)).scores
    return replace(package, golden=Golden(rows=rows, scores=scores.tolist()))


def num_golden(schema: Schema) -> int:
    """How many golden rows a package has: fewer where images would make them large."""
    pixels = sum(math.prod(column.shape) for column in schema.features if column.shape is not None)
    return max(2, min(NUM_GOLDEN, _GOLDEN_PIXELS // pixels)) if pixels else NUM_GOLDEN


def as_arrow(table: Any) -> Any:
    """A pyarrow table from one, or from a pandas frame: the only place where pandas comes in."""
    import pyarrow as pa

    if isinstance(table, pa.Table):
        return table
    if hasattr(table, "columns") and hasattr(table, "dtypes"):
        try:
            return pa.Table.from_pandas(table, preserve_index=False)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise DataError("a column holds values of one type", received=" ".join(map(str, error.args))) from error
    raise DataError("a table is a pyarrow.Table or a pandas.DataFrame", received=type(table).__name__)
