"""A whole run whose storage is a bucket, against a server that speaks S3."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from buckets import bucket
from distml.config import parse_config
from distml.lifecycle.run import Resources, run
from distml.predictor import Predictor
from distml.tracking import MemoryTracker
from tables import raw_table

CONFIGS = {
    "rows are streamed and trials are blended": {
        "model": {"families": ["linear", "trees"]},
        "search": {"num_samples": 4, "ensemble_size": 3},
        "train": {"max_epochs": 3, "stream": "always"},
    },
    "trials go on from others, over folds": {
        "model": {"families": ["linear"]},
        "search": {"num_samples": 6, "scheduler": "pbt", "population": 2, "interval_epochs": 1},
        "train": {"max_epochs": 3},
        "split": {"folds": 2},
    },
}


@pytest.mark.parametrize("sections", CONFIGS.values(), ids=CONFIGS)
def test_a_run_in_a_bucket_is_the_run_on_a_disk(sections, monkeypatch, tmp_path):
    pq.write_table(raw_table(300), tmp_path / "rows.parquet")
    data = {"source": {"uri": str(tmp_path / "rows.parquet")}, "target": "y", "exclude": ["value"]}
    results = []
    with bucket(monkeypatch) as uri:
        for storage in (f"{uri}/store", str(tmp_path / "store")):
            written = {"name": "tiny", "storage": storage, "tracking": {"uri": f"sqlite:///{tmp_path}/mlflow.db"}}
            config = parse_config(json.dumps({**written, "data": data, **sections}))
            results.append(run(config, Resources(tracker=MemoryTracker())))
        there, here = results
        assert [(r.score, r.best_epoch) for r in there.searched.records] == [
            (r.score, r.best_epoch) for r in here.searched.records
        ]
        assert there.evaluated.metrics == here.evaluated.metrics
        assert there.version.package_id == here.version.package_id
        assert "study.log" in there.storage.list(f"searched/{there.searched.key}")
        assert not [
            name for name in there.storage.list(f"searched/{there.searched.key}/trials") if name.endswith(".pt")
        ]
        with there.storage.local_folder(there.version.package) as folder:
            assert Predictor.load(folder).package.members
