"""The stage `deploy`: a registered version onto Ray Serve, where its model wasn't served. What changes it later on is
the model's keeper, which starts here.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable

from distml import code
from distml.cluster.on_ray import NAMESPACE
from distml.config import RunConfig
from distml.errors import DistmlError
from distml.lifecycle.serving import rollouts
from distml.lifecycle.who import this_user
from distml.package import require_code
from distml.registry import Version
from distml.serve import haproxy
from distml.serve.rollout.advance import LOAD_TIMEOUT_S, Sight
from distml.serve.rollout.rollout import Rollout
from distml.serve.tokens.auth import require_tokens
from distml.storage import Storage

_POLL_S = 0.1


def deploy(config: RunConfig, storage: Storage, version: Version) -> str:
    """Serves a version on the cluster that this process is connected to; returns the endpoint's URL.

    Raises `ConfigError` where tokens are asked for and there are none, before anything listens, and `DistmlError` when
    the version is refused.
    """
    require_tokens(config.serve.auth)
    require_code(storage, version.package)
    from ray import serve

    from distml.lifecycle.serving.keeper import on_ray as keeper
    from distml.monitor import on_ray as monitor

    logging.getLogger("ray.serve").setLevel(logging.WARNING)  # it tells of every step otherwise
    monitor.start(config.name, config.monitor, NAMESPACE)
    first = rollouts.begin(storage, config.name, lambda _: _first(config, version), "it is served anew", this_user())
    replicas = keeper.Replicas(storage, config.name, config.route)
    serve.start(
        http_options={"host": haproxy.open_front(config), "port": config.serve.port},
        logging_config={"log_level": "WARNING", "enable_access_log": False},
    )
    try:
        serve.run(replicas.application(first, config), name=config.name, route_prefix=config.route)
    except RuntimeError as error:  # how Serve says that an application didn't come up; the replica told why
        raise _refusal(version, replicas.look(first).refused or str(error)) from error
    _wait_until_serving(lambda: replicas.look(first), version)
    revision = rollouts.newest(storage, config.name)
    rollouts.write(storage, revision, rollouts.settled(first))
    keeper.start(storage, config.name, config.route)
    return f"{config.serve.url}{config.route}"


def _first(config: RunConfig, version: Version) -> Rollout:
    """That of a model which nothing serves: it is over as it begins."""
    now = time.time()
    return Rollout(
        name=config.name,
        challenger=rollouts.deployed(version),
        before=None,
        plan=config.serve.rollout,
        phase="done",
        action="keep",
        salt=secrets.token_hex(8),
        allow_code=tuple(code.allowed()),
        by=this_user(),
        begun_at=now,
        asked_at=now,
    )


def _wait_until_serving(look: Callable[[], Sight], version: Version) -> None:
    """Until every running replica serves the version."""
    deadline = time.monotonic() + LOAD_TIMEOUT_S
    while time.monotonic() < deadline:
        sight = look()
        if sight.refused is not None:
            raise _refusal(version, sight.refused)
        if sight.is_loaded:
            return
        time.sleep(_POLL_S)  # replicas speak to the monitor, which holds no connection to ask back on
    raise DistmlError(
        "a version is loaded within two minutes",
        received=f"{version.label} is not",
        remedy="look at Ray's logs under /tmp/ray/session_latest/logs/serve",
    )


def _refusal(version: Version, received: str) -> DistmlError:
    return DistmlError(
        "a version loads and reproduces its golden rows before it serves", received=received, where=version.label,
        remedy="deploy a version that does",
    )  # fmt: skip
