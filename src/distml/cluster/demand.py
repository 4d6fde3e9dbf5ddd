"""What a config asks of a cluster: trials, pieces of the table and replicas, and what is refused as it never fits."""

from __future__ import annotations

from collections.abc import Sequence

from distml.cluster.capacity import Capacity, Node, check_whole, never_fits, num_at_once, num_fitting
from distml.config import DataConfig, RunConfig, SearchConfig, ServeConfig
from distml.errors import ConfigError
from distml.sizes import size

_COPIES = 2  # of the features: as read by the driver, and sorted
NO_GPU = (
    "no trial reserves a GPU, so all are fitted on CPUs: search.resources_per_trial.gpu may be a share, such as 0.25"
)


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
    fitting = num_at_once(capacity, config.resources_per_trial, what, "search.resources_per_trial")
    if fitting < num_workers and not capacity.grows_unknown:
        raise _too_many_workers(capacity.all, config, fitting)
    chosen = config.max_concurrent_trials
    return max(1, min(fitting // num_workers, config.num_samples if chosen == "auto" else chosen))


def check_preparation(capacity: Capacity, config: DataConfig) -> None:
    """Raises `ConfigError` naming the resource of which no node has enough for a piece of the table."""
    num_at_once(capacity, config.resources, "piece of the table", "data.resources")


def check_replicas(capacity: Capacity, config: ServeConfig) -> None:
    """Raises `ConfigError` when a replica, or the fewest that there should be, never fit."""
    check_whole(config.num_gpus, "serve.num_gpus")
    least = max(1, config.autoscaling.min_replicas)
    fitting = num_fitting(capacity.all, config.num_cpus, config.num_gpus)
    if capacity.grows_unknown or fitting >= least:
        return
    if not fitting:
        lacks_cpu = all(node.cpu < config.num_cpus for node in capacity.all)
        where = "serve.num_cpus" if lacks_cpu else "serve.num_gpus"
        raise never_fits("replica", capacity.all, config.num_cpus, config.num_gpus, where)
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
