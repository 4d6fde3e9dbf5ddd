"""Functions carried out by several processes that torch.distributed has joined, without Ray."""

from __future__ import annotations

import multiprocessing
import pickle
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import distributed, nn

from distml.batch import FeatureBatch
from distml.metrics import Metric
from distml.models.base import ModelSpec
from distml.training import EpochResult, FitResult, FitSettings
from distml.training.base import Notes, OnEpoch
from distml.training.course import Course
from distml.training.group import Group
from distml.training.shared import SharedLearner
from distml.training.shared_norm import share_batch_norms
from problems import problem, settings_of


def together(work: Callable[..., Any], size: int, *arguments: Any) -> list[Any]:
    """What `work(group, *arguments)` returns in each of so many processes, by rank."""
    context = multiprocessing.get_context("forkserver")  # which has imported all this once
    context.set_forkserver_preload(["distml.training.fit", "distml.training.shared", "lightgbm"])
    with tempfile.TemporaryDirectory() as folder:
        ends = [context.Pipe(duplex=False) for _ in range(size)]
        processes = [
            context.Process(target=_joined, args=(work, rank, size, folder, ends[rank][1], arguments), daemon=True)
            for rank in range(size)
        ]
        for process in processes:
            process.start()
        try:
            return [_received(receiving, process) for (receiving, _), process in zip(ends, processes, strict=True)]
        finally:
            for process in processes:
                process.kill()
                process.join()


def _received(receiving: Any, process: Any) -> Any:
    while not receiving.poll(0.2):
        assert process.is_alive(), "a process died; what it said is above"
    return pickle.loads(receiving.recv_bytes())


def _joined(work: Callable[..., Any], rank: int, size: int, folder: str, sending: Any, arguments: tuple) -> None:
    torch.set_num_threads(1)
    store = distributed.FileStore(str(Path(folder) / "store"), size)
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=size)
    sending.send_bytes(pickle.dumps(work(Group(), *arguments)))  # not `send`: tensors by value
    distributed.destroy_process_group()


def fit_shared(
    group: Group,
    spec: ModelSpec,
    train: FeatureBatch,
    validation: FeatureBatch | None,
    metric: Metric,
    settings: FitSettings,
    on_epoch: OnEpoch = lambda result: None,
) -> tuple[FitResult, list[EpochResult], np.ndarray] | None:
    """One process's part of a fit; the leading one's comes to its result, its epochs, and what the model predicts."""
    learner = SharedLearner(spec, train, settings, Notes(lambda line: None), group)
    if not group.leads:
        learner.follow()
        return None
    course = Course(learner, validation, metric, settings, learner.notes)
    result = course.run(on_epoch)
    learner.end()
    return replace(result, model=None), course.told, result.fitted.predict(train)


def weighted(n: int) -> FeatureBatch:
    """Rows that count by weights of their own."""
    batch = problem("binary", n=n, noise=1.5)
    return replace(batch, weight=np.random.default_rng(0).uniform(0, 3, n).astype(np.float32))


def until_4(epoch: EpochResult) -> bool:
    return epoch.epoch < 4


def dropped(group: Group, spec: ModelSpec) -> torch.Tensor:
    """Which units a process drops in its first step of an epoch, all rows being alike."""
    learner = SharedLearner(spec, weighted(64), settings_of(), Notes(lambda line: None), group)
    seen: list[torch.Tensor] = []
    dropout = next(layer for layer in learner.module.modules() if isinstance(layer, nn.Dropout))
    dropout.register_forward_hook(lambda layer, given, made: seen.append(made.detach() == 0))
    learner.deck.rows = learner.deck.rows.map(torch.ones_like)
    if group.leads:
        learner.epoch(1)
        learner.end()
    else:
        learner.follow()
    return seen[0]


def layers() -> nn.Sequential:
    """A module with batch normalisation of rows and of images."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Unflatten(1, (2, 3, 1)), nn.BatchNorm2d(2))


def rows() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).normal(3, 2, (11, 4)).astype(np.float32))


def normalised(group: Group) -> dict[str, Any]:
    """A process's part of what `layers` make of `rows` in a second step, their state, and the gradients of all."""
    module = share_batch_norms(layers(), group)
    own = rows()[group.share(len(rows()))]
    made = [module(own) for _ in range(2)][1]
    (made * torch.arange(6).reshape(2, 3, 1)).square().sum().backward()
    gradients = {name: weight.grad for name, weight in module.named_parameters()}
    group.sum(list(gradients.values()))
    return {"made": made.detach(), "state": module.state_dict(), "gradients": gradients}
