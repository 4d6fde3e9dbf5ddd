"""A search on a cluster that loses a node: python losing_a_node.py FOLDER WORKERS, for `tests/tune/test_faults.py`.

A cluster of its own, which a process that has one already can't have. What was heard is left in FOLDER/heard.json.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_AUTH_MODE="disabled", RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0")

import ray
from ray._private.ray_constants import PROCESS_TYPE_RAYLET
from ray.cluster_utils import Cluster

from distml.config import SearchConfig
from distml.storage import Storage
from distml.training import FitResult
from distml.tune import Objective, Search, local
from distml.tune.log import TrialFiles
from problems import problem
from processes import descendants, gone
from searches import Heard, objective_of, repeatable, study_of

DETECTION = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 500, "health_check_failure_threshold": 4}
NUM_TRIALS = 3


class Told(Objective):
    """Writes down every epoch that a fit tells, those told again too."""

    def run(self, candidate: Any, data: Any, on_epoch: Any, *checkpoints: Any) -> FitResult:
        def hear(result: Any) -> bool | None:
            with (Path(os.environ["DISTML_TOLD"]) / f"{candidate.number}.txt").open("a") as file:
                file.write(f"{os.getpid()} {result.epoch} {result.seconds}\n")
            return on_epoch(result)

        return super().run(candidate, data, hear, *checkpoints)


class Killing(Heard):
    """Kills a node that is at work as soon as the trials that run at once have come to their third epoch."""

    def __init__(self, cluster: Cluster, nodes: list[Any], at_once: int) -> None:
        super().__init__()
        self.cluster, self.nodes, self.at_once, self.killed = cluster, nodes, at_once, False

    def on_epochs(self, number: int, epochs: Any) -> None:
        super().on_epochs(number, epochs)
        under_way = [told for told in self.epochs.values() if told[-1].epoch >= 3]
        if not self.killed and len(under_way) == self.at_once:
            self.killed = True
            name = "ray::RayTrainWorker" if self.at_once == 1 else "ray::"
            node = next(node for node in self.nodes if descendants(name, of=raylet(node)))
            os.kill(raylet(node), signal.SIGKILL)
            self.cluster.remove_node(node, allow_graceful=False)


def raylet(node: Any) -> int:
    return node.all_processes[PROCESS_TYPE_RAYLET][0].process.pid


def main(folder: Path, workers: int) -> None:
    (folder / "told").mkdir()
    os.environ["DISTML_TOLD"] = str(folder / "told")
    rows = problem("binary", n=6000, noise=1.5), problem("binary", n=800, noise=1.5, seed=1)
    data = {"dense": rows, "trees": rows}
    settings = objective_of(checkpoint_interval_s=0, max_epochs=14, patience=14, batch_size=32)
    plain = {field.name: getattr(settings, field.name) for field in fields(Objective)}
    overrides = {"mlp": {"width": 32, "num_blocks": 1, "embedding_width": 4, "dropout": 0.0}}

    def study() -> Any:
        return study_of(overrides, families=("mlp",), num_samples=NUM_TRIALS)

    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "include_dashboard": False, "_system_config": DETECTION},
    )
    nodes = [cluster.add_node(num_cpus=1) for _ in range(workers + 1)]
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    at_once = 2 if workers == 1 else 1
    heard = Killing(cluster, nodes, at_once)
    begun = Search(study(), None, heard)
    config = SearchConfig(workers_per_trial=workers)
    records = _search(begun, Told(**plain), data, folder, config, max_concurrent=at_once)
    left = descendants()
    ray.shutdown()
    cluster.shutdown()
    here = Search(study(), None, Heard())
    wanted = local.run_trials(here, settings, data, TrialFiles(Storage(folder), "local"))
    (folder / "heard.json").write_text(
        json.dumps({
            "records": repeatable(records), "wanted": repeatable(wanted), "notes": heard.notes, "killed": heard.killed,
            "epochs": {number: [epoch.epoch for epoch in epochs] for number, epochs in heard.epochs.items()},
            "told": {file.stem: file.read_text().splitlines() for file in (folder / "told").iterdir()},
            "all_gone": gone(left),
        })
    )  # fmt: skip


def _search(search: Search, objective: Objective, data: Any, folder: Path, config: SearchConfig, **more: Any) -> Any:
    from distml.lifecycle.workers import by_workers
    from distml.tune import on_ray

    files = TrialFiles(Storage(folder), "search")
    return on_ray.run_trials(search, by_workers(objective, config), data, files, config, folder=folder, **more)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
