"""What fits a cluster: how many trials and replicas at once, and what no node of it will ever have room for.

Arithmetic over nodes' resources; `nodes` says where those come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from distml.config import DataConfig, RunConfig, SearchConfig, ServeConfig
from distml.config.base import ResourcesConfig
from distml.errors import ConfigError
from distml.sizes import size

_COPIES = 2  # of the features: as read by the driver, and sorted
NO_GPU = (
    "no trial reserves a GPU, so all are fitted on CPUs: search.resources_per_trial.gpu may be a share, such as 0.25"
)
_UNITS = 10_000  # Ray counts resources in ten-thousandths


@dataclass(frozen=True, kw_only=True)
class Node:
    """One node's resources, or those of `count` alike. CPUs and GPUs as Ray counts them, memory in bytes."""

    name: str
    cpu: float
    gpu: float = 0
    memory: int = 0
    object_store: int = 0
    count: int = 1

    def fitting(self, cpu: float, gpu: float) -> int:
        """How many of something that reserves `cpu` and `gpu` the node holds at once.

        A GPU is shared by as many as have whole shares of it: two of 0.6 need two GPUs.

        >>> Node(name="a", cpu=1).fitting(0.1, 0), Node(name="a", cpu=8, gpu=2).fitting(1, 0.6)
        (10, 2)
        """
        counts = [_whole(self.cpu, cpu)] if cpu else []
        if gpu:
            counts.append(int(self.gpu) * _whole(1, gpu) if gpu < 1 else _whole(self.gpu, gpu))
        return min(counts) * self.count if counts else 0


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """The nodes there are, and those that an autoscaler may add.

    `grows_unknown`: an autoscaler adds nodes of kinds that this process can't learn, so nothing is known never to fit.
    """

    nodes: tuple[Node, ...]
    may_join: tuple[Node, ...] = ()
    grows_unknown: bool = False

    @property
    def all(self) -> tuple[Node, ...]:
        return self.nodes + self.may_join


def check(capacity: Capacity, config: RunConfig) -> int:
    """Trials at once. Raises `ConfigError` for a stage, a device or replicas that the nodes can never have."""
    check_preparation(capacity, config.data)
    at_once = trials_at_once(capacity, config.search)
    check_replicas(capacity, config.serve)
    check_device(capacity, config)
    return at_once


def check_device(capacity: Capacity, config: RunConfig) -> None:
    """Raises `ConfigError` where fits are to run on a GPU, and no node has one or they reserve none."""
    device, precision = config.train.device, config.train.precision
    has_gpu = capacity.grows_unknown or any(node.gpu for node in capacity.all)
    if device == "cuda" and not has_gpu:
        raise ConfigError(
            "some node has a GPU, where fits are to run on one",
            received="cuda, and no node has a GPU",
            where="train.device",
            remedy="leave train.device at auto, or add a node with a GPU",
        )
    if (device == "cuda" or precision == "fp16") and not config.search.resources_per_trial.gpu:
        raise ConfigError(
            "fits on a GPU reserve one, or a share of it",
            received=f"{'cuda' if device == 'cuda' else 'fp16'}, and 0 GPU for a trial",
            where="search.resources_per_trial",
            remedy="write gpu: 1, or a share such as 0.25; or leave train.device and train.precision at auto",
        )


def leaves_gpus(capacity: Capacity, config: SearchConfig) -> bool:
    """Whether there are GPUs, and trials reserve none."""
    return any(node.gpu for node in capacity.all) and not config.resources_per_trial.gpu


def trials_at_once(capacity: Capacity, config: SearchConfig) -> int:
    """Trials that the cluster holds at once, or fewer if the config says so; at least 1.

    A trial's workers may be on several nodes, each worker is on one. Raises `ConfigError` naming the resource of which
    no node has enough for one worker, or the cluster for all of a trial's.
    """
    num_workers = config.workers_per_trial
    what = "trial" if num_workers == 1 else "worker of a trial"
    fitting = _at_once(capacity, config.resources_per_trial, what, "search.resources_per_trial")
    if fitting < num_workers and not capacity.grows_unknown:
        raise _too_many_workers(capacity.all, config, fitting)
    chosen = config.max_concurrent_trials
    return max(1, min(fitting // num_workers, config.num_samples if chosen == "auto" else chosen))


def check_preparation(capacity: Capacity, config: DataConfig) -> None:
    """Raises `ConfigError` naming the resource of which no node has enough for a piece of the table."""
    _at_once(capacity, config.resources, "piece of the table", "data.resources")


def check_replicas(capacity: Capacity, config: ServeConfig) -> None:
    """Raises `ConfigError` when a replica, or the fewest that there should be, never fit."""
    _check_whole(config.num_gpus, "serve.num_gpus")
    least = max(1, config.autoscaling.min_replicas)
    fitting = num_fitting(capacity.all, config.num_cpus, config.num_gpus)
    if capacity.grows_unknown or fitting >= least:
        return
    if not fitting:
        lacks_cpu = all(node.cpu < config.num_cpus for node in capacity.all)
        where = "serve.num_cpus" if lacks_cpu else "serve.num_gpus"
        raise _never_fits("replica", capacity.all, config.num_cpus, config.num_gpus, where)
    raise ConfigError(
        "the cluster holds the fewest replicas that are to run",
        received=f"{least} of {_each(config)} each; {fitting} fit",
        where="serve.autoscaling.min_replicas",
        remedy=f"ask for at most {fitting}, let each reserve less in {_reserving(config)}, or add a node",
    )


def check_room(capacity: Capacity, free: Sequence[Node], config: ServeConfig) -> None:
    """Raises `ConfigError` when the replicas to begin with don't fit beside what runs, and no node can join.

    free: what nothing has reserved of each node.
    """
    wanted = config.autoscaling.num_initial
    fitting = num_fitting(free, config.num_cpus, config.num_gpus)
    if capacity.may_join or capacity.grows_unknown or fitting >= wanted:
        return
    raise ConfigError(
        "replicas have room beside what the cluster runs already",
        received=f"{wanted} of {_each(config)} each; {fitting} fit, with {sum(node.cpu for node in free):g} CPU and "
        f"{sum(node.gpu for node in free):g} GPU free",
        where=_reserving(config),
        remedy="let each reserve less, end something that runs there (`distml status` lists what is served), or serve "
        "on another port, which starts a cluster of its own",
    )


def _each(config: ServeConfig) -> str:
    return f"{config.num_cpus:g} CPU" + (f" and {config.num_gpus:g} GPU" if config.num_gpus else "")


def _reserving(config: ServeConfig) -> str:
    return "serve.num_cpus or serve.num_gpus" if config.num_gpus else "serve.num_cpus"


def tightness(capacity: Capacity, config: RunConfig) -> list[str]:
    """What fits, but not yet or not all of it, in lines."""
    told = []
    search, serve = config.search, config.serve
    at_most, chosen = _trials_fitting(capacity.all, search), search.max_concurrent_trials
    if leaves_gpus(capacity, search):
        told.append(NO_GPU)
    if not _trials_fitting(capacity.nodes, search):
        told.append("the nodes that are there now have no room for a trial: the autoscaler must add some")
    if chosen != "auto" and at_most < min(chosen, search.num_samples) and not capacity.grows_unknown:
        told.append(
            f"{at_most} trials fit the cluster at once, of the {chosen} that search.max_concurrent_trials allows"
        )
    fitting = num_fitting(capacity.all, serve.num_cpus, serve.num_gpus)
    most = serve.autoscaling.max_replicas
    if fitting < most and not capacity.grows_unknown:
        told.append(f"{fitting} replicas fit the cluster, of the {most} that serve.autoscaling.max_replicas allows")
    return told


def _trials_fitting(nodes: Sequence[Node], config: SearchConfig) -> int:
    wanted = config.resources_per_trial
    return num_fitting(nodes, wanted.cpu, wanted.gpu) // config.workers_per_trial


def memory_warnings(capacity: Capacity, num_bytes: int) -> list[str]:
    """What features of this size, all recipes together, make scarce on the smallest node that trials run on."""
    nodes = [node for node in capacity.all if node.cpu]
    store = min((node.object_store for node in nodes if node.object_store), default=num_bytes)
    memory = min((node.memory for node in nodes if node.memory), default=_COPIES * num_bytes)
    told = []
    if num_bytes > store:
        told.append(
            f"features of up to {size(num_bytes)} don't fit an object store of {size(store)}: "
            "Ray writes the rest to disk, and trials read it from there"
        )
    if _COPIES * num_bytes > memory:
        told.append(
            f"reading the features takes up to {size(_COPIES * num_bytes)} in the process that starts the "
            f"search, and a node has {size(memory)}: search fewer families, or use larger nodes"
        )
    return told


def num_fitting(nodes: Sequence[Node], cpu: float, gpu: float) -> int:
    """How many of something fit all nodes together, each on one node."""
    return sum(node.fitting(cpu, gpu) for node in nodes)


def _at_once(capacity: Capacity, wanted: ResourcesConfig, what: str, where: str) -> int:
    """How many fit; may be 0 where an autoscaler adds unknown nodes."""
    _check_whole(wanted.gpu, where)
    fitting = num_fitting(capacity.all, wanted.cpu, wanted.gpu)
    if not fitting and not capacity.grows_unknown:
        raise _never_fits(what, capacity.all, wanted.cpu, wanted.gpu, where)
    return fitting


def _check_whole(gpu: float, where: str) -> None:
    if gpu > 1 and gpu != int(gpu):
        raise ConfigError(
            "more than one GPU is reserved in whole ones",
            received=f"{gpu:g} GPU",
            where=where,
            remedy=f"ask for {int(gpu)} or {int(gpu) + 1}",
        )


def _too_many_workers(nodes: Sequence[Node], config: SearchConfig, fitting: int) -> ConfigError:
    wanted, num_workers = config.resources_per_trial, config.workers_per_trial
    alone = {"CPU": num_fitting(nodes, wanted.cpu, 0), "GPU": num_fitting(nodes, 0, wanted.gpu)}
    needed = {"CPU": wanted.cpu, "GPU": wanted.gpu}
    scarce = [name for name, count in alone.items() if needed[name] and count < num_workers]
    each = " and ".join(f"{amount:g} {name}" for name, amount in needed.items() if amount)
    return ConfigError(
        f"the cluster has the {' and '.join(f'{name}s' for name in scarce or needed)} that one trial's workers reserve",
        received=f"{num_workers} workers of {each} each; {fitting} fit",
        where="search.workers_per_trial",
        remedy=f"ask for at most {fitting}, let each reserve less in search.resources_per_trial, or add a node",
    )


def _never_fits(what: str, nodes: Sequence[Node], cpu: float, gpu: float, where: str) -> ConfigError:
    for resource, amount, of in (("CPU", cpu, _cpu), ("GPU", gpu, _gpu)):
        largest = max(nodes, key=of, default=None)
        most = 0.0 if largest is None else of(largest)
        if amount > most:
            named = f" ({largest.name})" if largest is not None and most else ""
            return ConfigError(
                f"some node has the {resource}s that one {what} reserves",
                received=f"{amount:g} {resource}, at most {most:g} on a node{named}",
                where=where,
                remedy=f"ask for at most {most:g}, or add a larger node" if most else f"add a node with a {resource}",
            )
    return ConfigError(
        f"one node has all that a {what} reserves",
        received=f"{cpu:g} CPU and {gpu:g} GPU; " + ", ".join(f"{n.name} has {n.cpu:g} and {n.gpu:g}" for n in nodes),
        where=where,
        remedy="ask for less of one, or add a node with both",
    )


def _cpu(node: Node) -> float:
    return node.cpu


def _gpu(node: Node) -> float:
    return node.gpu


def _whole(available: float, amount: float) -> int:
    return round(available * _UNITS) // max(1, round(amount * _UNITS))
