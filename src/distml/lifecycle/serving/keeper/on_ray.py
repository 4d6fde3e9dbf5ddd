"""The keeper as a named, detached actor, one per served model, and the replicas that it speaks to, on Ray Serve."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import Any

import orjson
import ray

from distml.cluster.on_ray import NAMESPACE
from distml.config import RunConfig
from distml.errors import StorageError
from distml.lifecycle.configs import config_of
from distml.lifecycle.serving import rollouts
from distml.lifecycle.serving.keeper.keeper import Keeper
from distml.registry import StoreRegistry, Version
from distml.registry.base import find
from distml.serve.rollout.advance import Sight
from distml.serve.rollout.evidence import Totals
from distml.serve.rollout.rollout import Rollout
from distml.storage import Storage

_IDLE_S = 0.5
_SOON_S = 0.2
_MONITOR_TIMEOUT_S = 10.0


class Replicas:
    """Implements `Service`. route: under which the model is served, whatever a version's own config says."""

    def __init__(self, storage: Storage, name: str, route: str) -> None:
        self._storage = storage
        self._name = name
        self._route = route

    def is_there(self) -> bool:
        from ray import serve

        return self._name in serve.status().applications

    def apply(self, rollout: Rollout) -> None:
        from ray import serve

        # Serve's own `run` asks once a second whether the application runs; who wants to know asks the replicas.
        target = serve.RunTarget(self.application(rollout), name=self._name, route_prefix=self._route)
        serve.run_many([target], wait_for_ingress_deployment_creation=False, wait_for_applications_running=False)

    def application(self, rollout: Rollout, config: RunConfig | None = None) -> Any:
        """The Serve application of a rollout's traffic, whose versions the monitor knows from now on.

        config: None for that of the version which the rollout names for it.
        """
        from distml.monitor.on_ray import actor_name
        from distml.serve.on_ray import application
        from distml.serve.settings import settings_of

        traffic = rollout.traffic()
        for deployed in traffic.versions.values():
            baseline = orjson.loads(self._storage.read_bytes(f"{deployed.package}/baseline.json"))
            ray.get(self._monitor().watch.remote(deployed.version, baseline), timeout=_MONITOR_TIMEOUT_S)
        if config is None:
            config = config_of(self._storage, self._version(rollout.configured_by.version))
        settings = settings_of(config, self._storage.root, monitor=actor_name(self._name), namespace=NAMESPACE)
        return application(settings, config.serve, traffic)

    def look(self, rollout: Rollout) -> Sight:
        monitor = self._monitor()
        asked = [monitor.totals.remote(), monitor.replicas.remote()]
        totals, replicas = ray.get(asked, timeout=_MONITOR_TIMEOUT_S)
        traffic = rollout.traffic()
        told = [one for one in replicas.values() if one["asked_at"] >= traffic.asked_at]
        needed = {traffic.main.version, *(share.deployed.version for share in traffic.shares)}
        needed |= {traffic.shadow.version} if traffic.shadow is not None else set()
        have = [one for one in told if one["main"] == traffic.main.version and needed <= set(one["versions"])]
        number = rollout.challenger.version
        errors = [one["errors"][number] for one in told if number in one["errors"]]
        return Sight(
            totals={version: Totals.of(total) for version, total in totals.items()},
            is_loaded=len(have) >= self._num_answering(),
            refused=errors[0] if errors else None,
        )

    def _num_answering(self) -> int:
        """Replicas that requests go to; none of a service that scaled to zero. Those that are being told answer too."""
        from ray import serve

        deployments = serve.status().applications[self._name].deployments.values()
        states = [deployment.replica_states for deployment in deployments]
        return sum(state.get("RUNNING", 0) + state.get("UPDATING", 0) for state in states)

    def mirror(self, version: Version) -> None:
        _mirror.options(num_cpus=0).remote(self._storage.root, version)

    def _monitor(self) -> Any:
        from distml.monitor.on_ray import actor_name

        return ray.get_actor(actor_name(self._name), namespace=NAMESPACE)

    def _version(self, number: int) -> Version:
        return find(StoreRegistry(self._storage).versions(self._name), self._name, number)


@ray.remote(max_retries=0)
def _mirror(root: str, version: Version) -> None:
    """In a process of its own: MLflow asks a server that is away for minutes."""
    from distml.lifecycle.mirror import mirror_champion

    told = mirror_champion(Storage(root), version)
    if told is not None:
        logging.getLogger(__name__).warning("the alias in MLflow was not moved: %s", told)


class KeeperActor:
    """Looks as long as its process lives; Ray starts it again when that dies."""

    def __init__(self, root: str, name: str, route: str) -> None:
        self._storage = storage = Storage(root)
        self._name = name
        self._trouble: str | None = None
        self._keeper = Keeper(storage, name, Replicas(storage, name, route))
        threading.Thread(target=self._look_on, daemon=True).start()

    def is_there(self) -> bool:
        return True

    def _look_on(self) -> None:
        wait = threading.Event()
        self._prepare()
        while True:
            is_soon = False
            try:
                is_soon = self._keeper.look()
                self._tell(None)
            except Exception as error:  # whatever was away, the next look may find it
                logging.getLogger(__name__).exception("a look at the rollout of %s failed", self._name)
                self._tell(f"{type(error).__name__}: {error}")
            wait.wait(_SOON_S if is_soon else _IDLE_S)

    def _tell(self, trouble: str | None) -> None:
        """Keeps what is wrong where commands find it, once."""
        if trouble != self._trouble:
            with contextlib.suppress(StorageError):  # which then is what is wrong, and is logged
                rollouts.tell_trouble(self._storage, self._name, trouble)
                self._trouble = trouble

    def _prepare(self) -> None:
        """Loads what speaking to replicas takes, seconds, before someone waits for a way back."""
        import distml.serve.on_ray  # noqa: F401


def keeper_name(name: str) -> str:
    """What a model's keeper is called."""
    return f"distml-keeper-{name}"


def start(storage: Storage, name: str, route: str) -> None:
    """A model's keeper, started if it isn't there."""
    options = {"name": keeper_name(name), "namespace": NAMESPACE, "lifetime": "detached", "num_cpus": 0}
    actor = ray.remote(KeeperActor).options(max_restarts=-1, get_if_exists=True, **options)
    ray.get(actor.remote(storage.root, name, route).is_there.remote())


def end(name: str) -> None:
    """Ends a model's keeper, if it has one."""
    with contextlib.suppress(ValueError):  # no such actor
        ray.kill(ray.get_actor(keeper_name(name), namespace=NAMESPACE))
