"""What fits a cluster: how many of something its nodes hold at once, and what none of them will ever have room for.

Arithmetic over nodes' resources; `nodes` says where those come from, `demand` what is asked of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from distml.config.base import ResourcesConfig
from distml.errors import ConfigError

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


def num_fitting(nodes: Sequence[Node], cpu: float, gpu: float) -> int:
    """How many of something fit all nodes together, each on one node."""
    return sum(node.fitting(cpu, gpu) for node in nodes)


def num_at_once(capacity: Capacity, wanted: ResourcesConfig, what: str, where: str) -> int:
    """How many of something fit; may be 0 where an autoscaler adds unknown nodes.

    what: its name, in the singular; where: the config's place that wants it. Raises `ConfigError` where none ever fits.
    """
    check_whole(wanted.gpu, where)
    fitting = num_fitting(capacity.all, wanted.cpu, wanted.gpu)
    if not fitting and not capacity.grows_unknown:
        raise never_fits(what, capacity.all, wanted.cpu, wanted.gpu, where)
    return fitting


def check_whole(gpu: float, where: str) -> None:
    """Raises `ConfigError` for a share of more than one GPU."""
    if gpu > 1 and gpu != int(gpu):
        raise ConfigError(
            "more than one GPU is reserved in whole ones",
            received=f"{gpu:g} GPU",
            where=where,
            remedy=f"ask for {int(gpu)} or {int(gpu) + 1}",
        )


def never_fits(what: str, nodes: Sequence[Node], cpu: float, gpu: float, where: str) -> ConfigError:
    """The error that names the resource of which no node has enough."""
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
