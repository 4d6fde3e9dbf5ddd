"""What fits have of a cluster: the devices that they reserve, and several workers where the config asks for them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from distml.cluster import nodes
from distml.cluster.demand import NO_GPU, leaves_gpus
from distml.config import SearchConfig
from distml.data.engine import Engine
from distml.lifecycle.fits import Fits, FitTask
from distml.models.own import code_for
from distml.training.fit import is_shareable
from distml.tune import Objective


def by_workers(objective: Objective, config: SearchConfig) -> Objective:
    """The objective, whose networks as many workers of a cluster fit together as the config says."""
    objective = on_reserved(objective, config)
    if config.workers_per_trial == 1:
        return objective
    from distml.training.on_ray import fit_distributed

    shared = partial(fit_distributed, workers=config.workers_per_trial, resources=config.resources_per_trial)
    return replace(objective, fit=shared)


def on_reserved(objective: Objective, config: SearchConfig) -> Objective:
    """The objective, whose fits leave GPUs alone where they reserve none. Ray shows a process every GPU of its node
    then, and as many as there are CPUs would be fitted on the first.
    """
    settings = objective.settings
    if config.resources_per_trial.gpu:
        return objective
    on_cpu = settings.config.model_copy(update={"device": "cpu"})
    return replace(objective, settings=replace(settings, config=on_cpu))


def not_had(config: SearchConfig, *, is_local: bool) -> list[str]:
    """Lines on what fits go without: several workers where there is no cluster to have them on, and a cluster's GPUs
    where none is reserved.
    """
    if is_local and config.workers_per_trial > 1:
        return ["search.workers_per_trial: without a cluster each trial is fitted by one worker"]
    return [NO_GPU] if not is_local and leaves_gpus(nodes.cluster(), config) else []


def map_fits(config: SearchConfig, engine: Engine, fits: Fits, tasks: list[FitTask]) -> list[dict[str, Any]]:
    """What `fits` tells of each task. Those that workers share are begun here, one after another: a task of the engine
    would hold the CPU that its workers wait for. Baselines and trees are fitted by one.
    """
    if engine.name == "ray":
        fits = replace(fits, objective=on_reserved(fits.objective, config))
    several = engine.name == "ray" and config.workers_per_trial > 1
    shared = [task for task in tasks if several and _is_shared(task, fits.objective)]
    alone = [task for task in tasks if task not in shared]
    wanted = config.resources_per_trial
    found = engine.map(fits, alone, cpu=wanted.cpu, gpu=wanted.gpu)
    told = {task.name: result for task, result in zip(alone, found, strict=True)}
    together = replace(fits, objective=by_workers(fits.objective, config))
    told |= {task.name: together(task) for task in shared}
    return [told[task.name] for task in tasks]


def _is_shared(task: FitTask, objective: Objective) -> bool:
    return not task.is_plain and is_shareable(task.family, code_for(task.family, objective.code))
