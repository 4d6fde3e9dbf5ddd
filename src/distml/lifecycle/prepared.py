"""`Prepared`: what preparation came to, fitted state in memory, rows and features in storage."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from distml.batch import FeatureBatch
from distml.clean import Finding, RowCleaner
from distml.data.dealing import SPLITS, Split
from distml.data.parts import ROW
from distml.data.split import SplitPlan
from distml.features import FeaturePipeline
from distml.ipc import from_ipc
from distml.lifecycle.stages import result_in
from distml.schema import Schema, with_plain_texts
from distml.storage import Storage
from distml.summary import TableSummary
from distml.target import Target, target_from_dict, target_to_dict


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What preparation came to: fitted state here, rows and features in storage under `prefix`."""

    storage: Storage
    prefix: str
    key: str  # content hash of what it was made from
    schema: Schema
    target: Target
    plan: SplitPlan
    pipelines: dict[str, FeaturePipeline]  # by recipe
    baseline: TableSummary  # training rows as cleaned, with histograms
    num_rows: dict[Split, int]
    test_key: str | None  # content hash of a test table of its own
    content: dict[Split, str]  # sha256 of each split's rows
    findings: tuple[Finding, ...]

    def features(self, recipe: str, split: Split) -> FeatureBatch:
        """A split's features, rows in the order of their hashes: the same whatever the partitioning."""
        shards = [FeatureBatch.from_bytes(self.storage.read_bytes(key)) for key in self.shards(recipe, split)]
        if not shards:
            return self._no_rows(recipe)
        batch = FeatureBatch.concat(shards)
        assert batch.rows is not None
        return batch.take(np.argsort(batch.rows, kind="stable"))

    def shards(self, recipe: str, split: Split) -> list[str]:
        """The keys of the files that a split's features are in."""
        folder = f"{self.prefix}/features/{recipe}/{split}"
        return [f"{folder}/{name}" for name in self.storage.list(folder)]

    def fit_rows(self, recipe: str) -> FeatureBatch:
        """The features of training and validation rows together: what folds are dealt to, and what a refit takes."""
        return FeatureBatch.concat([self.features(recipe, "train"), self.features(recipe, "validation")])

    def _no_rows(self, recipe: str) -> FeatureBatch:
        return self.pipelines[recipe].encode(self._empty(), target=self.target, rows=np.empty(0, np.uint64))

    def _empty(self) -> Any:
        """A cleaned pyarrow table without rows."""
        import pyarrow as pa

        return pa.schema([(column.name, column.arrow_type) for column in self.schema.kept]).empty_table()

    def rows(self, split: Split) -> tuple[Any, np.ndarray]:
        """Cleaned validation or test rows as a pyarrow table and their hashes, in the order of the hashes."""
        assert split != "train", "training rows are read as features"
        import pyarrow as pa

        folder = f"{self.prefix}/splits/{split}"
        tables = [
            with_plain_texts(from_ipc(self.storage.read_bytes(f"{folder}/{n}"))) for n in self.storage.list(folder)
        ]
        if not tables:
            return self._empty(), np.empty(0, np.uint64)
        table = pa.concat_tables(tables).combine_chunks()
        hashes = table.column(ROW).to_numpy()
        order = np.argsort(hashes, kind="stable")
        return table.drop_columns([ROW]).take(order).combine_chunks(), hashes[order]

    @cached_property
    def cleaner(self) -> RowCleaner:
        return next(iter(self.pipelines.values())).cleaner

    def to_dict(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "schema": self.schema.to_dict(),
            "target": target_to_dict(self.target),
            "plan": self.plan.to_dict(),
            "pipelines": {name: pipeline.to_dict() for name, pipeline in self.pipelines.items()},
            "baseline": self.baseline.to_dict(),
            "num_rows": self.num_rows,
            "test_key": self.test_key,
            "content": self.content,
            "findings": [asdict(finding) for finding in self.findings],
        }

    @classmethod
    def read(cls, storage: Storage, folder: str) -> Prepared | None:
        """What was prepared in a folder; None where that was cut off or never begun, or the folder deleted."""
        value = result_in(storage, folder)
        return None if value is None else cls.from_dict(storage, folder, value)

    @classmethod
    def from_dict(cls, storage: Storage, prefix: str, value: dict[str, Any]) -> Prepared:
        return cls(
            storage=storage,
            prefix=prefix,
            key=value["key"],
            schema=Schema.from_dict(value["schema"]),
            target=target_from_dict(value["target"]),
            plan=SplitPlan.from_dict(value["plan"]),
            pipelines={name: FeaturePipeline.from_dict(item) for name, item in value["pipelines"].items()},
            baseline=TableSummary.from_dict(value["baseline"]),
            num_rows={split: value["num_rows"][split] for split in SPLITS},
            test_key=value["test_key"],
            content=value["content"],
            findings=tuple(
                Finding(**{**item, "examples": tuple(map(tuple, item["examples"]))}) for item in value["findings"]
            ),
        )
