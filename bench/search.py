"""Trials per hour of a search: distml, the usual recipe on Ray Tune, and an ideal without Ray.

    python bench/search.py --data FOLDER                        # 40 trials on Adult, all three
    python bench/search.py --data FOLDER --trials 20 --epochs 4 --peers ideal

All in one run on one machine, each on all of its cores, one thread a trial. The space, epochs, batch size, sampler
(random) and seed are equal, no scheduler gives a trial up. What is timed begins when the prepared rows are there and
Ray is up, and ends with the last trial; the order alternates between repeats.
- `distml`: the stage `tune` as a run carries it out, every epoch logged to MLflow in SQLite.
- `usual`: a function trainable with a DataLoader over the rows and MLflowLoggerCallback; a process per trial, as is
  Tune's default.
- `ideal`: Optuna asked and told by one process, distml's own fits in plain worker processes that hold the rows; no
  tracking, no checkpoints.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from distml.batch import FeatureBatch
from distml.cluster.on_ray import local_cluster
from distml.config import RunConfig, parse_config
from distml.data import LocalEngine
from distml.lifecycle.prepare import prepare
from distml.lifecycle.prepared import Prepared
from distml.metrics import metric_for
from distml.storage import Storage

ADULT = ["age", "workclass", "fnlwgt", "education", "education_num", "marital_status", "occupation", "relationship",
         "race", "sex", "capital_gain", "capital_loss", "hours_per_week", "native_country", "income"]  # fmt: skip
SPACE = {"lr": {"log": [2e-4, 5e-3]}, "dropout": {"uniform": [0.0, 0.5]}, "num_blocks": {"int": [1, 3]}, "width": 128}


def config_of(data: Path, home: Path, arguments: argparse.Namespace) -> RunConfig:
    source = {"uri": str(data / "adult/adult.data"), "header": False, "columns": ADULT, "missing": ["?"]}
    config = {
        "name": "adult",
        "storage": str(home / "store"),
        "data": {"source": source, "target": "income"},
        "model": {"families": ["mlp"]},
        "search": {
            "num_samples": arguments.trials, "sampler": "random", "scheduler": "none", "space": {"mlp": SPACE},
            "metric": "roc_auc",
        },
        "train": {"max_epochs": arguments.epochs, "patience": arguments.epochs, "batch_size": 256},
    }  # fmt: skip
    return parse_config(json.dumps(config))


def by_distml(config: RunConfig, prepared: Prepared, scratch: Path) -> float:
    """The stage `tune`, its trials logged as in a run."""
    from distml.lifecycle.run import Resources, cluster_resources, run

    resources: Resources = cluster_resources(config, scratch=scratch)
    result = run(config, resources, until="tune")
    assert result.searched is not None and result.searched.counts()["finished"] == config.search.num_samples
    beside = result.seconds["tune"] * (os.cpu_count() or 1) - sum(r.seconds for r in result.searched.records)
    print(f"distml: {beside / config.search.num_samples:.2f} s of a core per trial beside its epochs, start included")
    return result.seconds["tune"]


def by_usual_recipe(config: RunConfig, prepared: Prepared, scratch: Path) -> float:
    """Ray Tune with OptunaSearch's random sampler, a DataLoader and MLflowLoggerCallback."""
    import optuna
    from ray import tune
    from ray.air.integrations.mlflow import MLflowLoggerCallback
    from ray.tune.search.optuna import OptunaSearch

    train, validation = prepared.features("dense", "train"), prepared.features("dense", "validation")
    cardinalities = prepared.pipelines["dense"].input_spec(2).cardinalities
    trainable = tune.with_parameters(usual_trial, train=train, validation=validation, cardinalities=cardinalities,
                                     epochs=config.train.max_epochs, batch_size=config.train.batch_size)  # fmt: skip
    space = {"lr": tune.loguniform(2e-4, 5e-3), "dropout": tune.uniform(0.0, 0.5), "num_blocks": tune.randint(1, 4)}
    folder = Path(tempfile.mkdtemp(dir=scratch))
    callback = MLflowLoggerCallback(tracking_uri=f"sqlite:///{folder}/mlflow.db", experiment_name="usual")
    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1}),
        param_space=space,
        tune_config=tune.TuneConfig(
            search_alg=OptunaSearch(metric="roc_auc", mode="max", sampler=optuna.samplers.RandomSampler(seed=0)),
            num_samples=config.search.num_samples, max_concurrent_trials=os.cpu_count(),
        ),
        run_config=tune.RunConfig(storage_path=str(folder), callbacks=[callback], verbose=0),
    )  # fmt: skip
    started = time.monotonic()
    results = tuner.fit()
    assert results.num_errors == 0 and len(results) == config.search.num_samples
    return time.monotonic() - started


def usual_trial(config: dict[str, Any], train: FeatureBatch, validation: FeatureBatch, cardinalities: tuple[int, ...],
                epochs: int, batch_size: int) -> None:  # fmt: skip
    """One trial as tutorials write it, with distml's own network so that steps cost alike."""
    import torch
    from ray import tune
    from sklearn.metrics import roc_auc_score
    from torch.utils.data import DataLoader, TensorDataset

    from distml.batch import InputSpec
    from distml.models import FAMILIES, ModelSpec, build_network, learned

    torch.set_num_threads(1)
    params = FAMILIES["mlp"].complete({**config, "width": 128})
    spec = InputSpec(num_numeric=train.numeric.shape[1], cardinalities=cardinalities, num_outputs=2)
    model = build_network(learned(ModelSpec(family="mlp", params=params, input=spec, task="binary"), train))
    optimizer = torch.optim.AdamW(model.parameters(), lr=config["lr"], weight_decay=params["weight_decay"])
    tensors = [torch.tensor(np.asarray(array)) for array in (train.numeric, train.categorical, train.target)]
    loader = DataLoader(TensorDataset(*tensors), batch_size=batch_size, shuffle=True)
    numeric, categorical = torch.tensor(validation.numeric), torch.tensor(validation.categorical)
    for _ in range(epochs):
        model.train()
        for x, codes, y in loader:
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x, codes), y)
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            positive = model(numeric, categorical).softmax(dim=1)[:, 1].numpy()
        tune.report({"roc_auc": roc_auc_score(validation.target, positive), "loss": loss.item()})


def by_ideal(config: RunConfig, prepared: Prepared, scratch: Path) -> float:
    """One process per core with distml's fits; Optuna asks and is told here."""
    import optuna

    context = multiprocessing.get_context("spawn")
    tasks, answers = context.Queue(), context.Queue()
    num_workers = os.cpu_count() or 1
    workers = [
        context.Process(target=ideal_worker, args=(tasks, answers, config, prepared)) for _ in range(num_workers)
    ]
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    started = time.monotonic()
    for worker in workers:
        worker.start()
    trials: dict[int, Any] = {}
    for number in range(1, config.search.num_samples + 1):
        trial = study.ask()
        trials[number] = trial
        params = {
            "lr": trial.suggest_float("lr", 2e-4, 5e-3, log=True),
            "dropout": trial.suggest_float("dropout", 0, 0.5),
            "num_blocks": trial.suggest_int("num_blocks", 1, 3),
            "width": 128,
        }
        tasks.put((number, params))
        if number > num_workers:
            study.tell(*_answer(answers, trials))
    for _ in range(min(num_workers, config.search.num_samples)):
        study.tell(*_answer(answers, trials))
    seconds = time.monotonic() - started
    for _ in workers:
        tasks.put(None)
    for worker in workers:
        worker.join()
    assert len(study.trials) == config.search.num_samples
    return seconds


def _answer(answers: Any, trials: dict[int, Any]) -> tuple[Any, float]:
    number, score = answers.get()
    return trials[number], score


def ideal_worker(tasks: Any, answers: Any, config: RunConfig, prepared: Prepared) -> None:
    from distml.lifecycle.search import objective_for
    from distml.tune import Candidate

    objective = objective_for(config, prepared, metric_for("roc_auc", "binary"))
    data = {"dense": (prepared.features("dense", "train"), prepared.features("dense", "validation"))}
    while (task := tasks.get()) is not None:
        number, params = task
        answers.put((number, objective.run(Candidate(number=number, family="mlp", params=params), data).best_score))


SIDES: dict[str, Callable[[RunConfig, Prepared, Path], float]] = {
    "distml": by_distml,
    "usual": by_usual_recipe,
    "ideal": by_ideal,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("DISTML_DATA", "data"))
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--peers", default="usual,ideal")
    arguments = parser.parse_args()
    sides = ["distml", *(name for name in arguments.peers.split(",") if name)]
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    with tempfile.TemporaryDirectory(prefix="distml-bench-") as folder, local_cluster() as scratch:
        for repeat in range(arguments.repeats):
            home = Path(folder) / str(repeat)
            config = config_of(Path(arguments.data), home, arguments)
            storage = Storage(config.storage)
            prepared = prepare(config, storage, LocalEngine())
            for name in sides if repeat % 2 == 0 else sides[::-1]:
                seconds[name].append(SIDES[name](config, prepared, scratch))
                print(f"{name}: {seconds[name][-1]:.1f} s for {arguments.trials} trials", flush=True)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name in sides:
        rate = arguments.trials / medians[name] * 3600
        print(f"{name:8} {rate:8.0f} trials an hour; distml does {medians[name] / medians['distml']:.2f} times as many")


if __name__ == "__main__":
    main()
