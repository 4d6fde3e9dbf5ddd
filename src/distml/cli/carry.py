"""How a command that runs the lifecycle is carried out: on a local cluster or in this process, and what it prints."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distml.cli.output import Lines, is_watched, model_of, result, say, table

if TYPE_CHECKING:
    from distml.cluster.on_ray import Signals
    from distml.config import RunConfig
    from distml.lifecycle.result import RunResult
    from distml.lifecycle.run import Resources


def carry_out(
    config: RunConfig,
    engine: str,
    work: Callable[[Resources], RunResult],
    *,
    deploy: bool = False,
    detach: bool = False,
    live: dict[str, Any] | None = None,
) -> RunResult:
    """Does the work with an engine's resources and prints its result; with `deploy` serves what was promoted.

    A service is held until Ctrl-C, or with `detach` by a process of its own. live: the record of a service on whose
    cluster to work. Nothing is started for a config that will be refused.
    """
    from distml.cluster import nodes
    from distml.cluster.demand import check_replicas
    from distml.cluster.on_ray import Signals

    _check(config, engine, deploy)
    signals = Signals()
    signals.install()
    reporter = _reporter()
    try:
        reporter.stage("cluster" if engine == "ray" else "prepare", "…")
        with contextlib.closing(reporter), _cluster(engine, live, signals) as state:
            if deploy:
                check_replicas(nodes.cluster(), config.serve)
            outcome = work(_resources(config, engine, reporter, state))
            promoted = outcome.verdict is not None and outcome.verdict.promoted
            serves, is_held = deploy and promoted, False
            if serves and not detach and outcome.version is not None:
                from distml.lifecycle.serving.hold import hold

                is_held = hold(config, outcome.storage, outcome.version, state, _announcing(outcome), say)
        if serves and not is_held:
            _serve_apart(outcome, config.serve.port, detach)
        elif not serves:
            show_result(outcome)
        return outcome
    except KeyboardInterrupt:
        if reporter.run_id is not None:
            say(f"distml: interrupted; `distml resume {reporter.run_id} --storage {config.storage}` goes on with it")
        raise


def _check(config: RunConfig, engine: str, deploy: bool) -> None:
    """Raises a `DistmlError` for what would be refused once something has been started."""
    from distml.cluster.on_ray import named_address
    from distml.config.tls import TlsConfig
    from distml.errors import ConfigError
    from distml.lifecycle.preflight import preflight
    from distml.lifecycle.serving.endpoint import Endpoint
    from distml.serve.haproxy.front import check_certificate
    from distml.serve.tokens.auth import require_tokens

    if engine not in ("ray", "local"):
        raise ConfigError("an engine is ray or local", received=engine, where="--engine")
    if engine == "local" and deploy:
        raise ConfigError("--deploy needs Ray", received="--engine local", remedy="leave --engine out")
    storage = preflight(config)
    if deploy:
        require_tokens(config.serve.auth)
        if isinstance(config.serve.tls, TlsConfig):
            check_certificate(config.serve.tls)
        Endpoint(config, storage).check(is_local=named_address() is None)


def _reporter() -> Lines:
    """Lines, and on a terminal a picture below them."""
    if not is_watched():
        return Lines()
    from distml.cli.progress import Picture

    return Picture()


@contextlib.contextmanager
def _cluster(engine: str, live: dict[str, Any] | None, signals: Signals) -> Iterator[Path | None]:
    """What an engine works on; yields the folder of a local cluster's private files."""
    from distml.cluster.on_ray import cluster, connected

    if engine == "local":
        yield None
    elif live is not None:
        with connected(live["address"], live["token_path"]):
            signals.install()
            yield None
    else:
        with cluster(signals) as state:
            yield state


def _resources(config: RunConfig, engine: str, reporter: Lines, scratch: Path | None) -> Resources:
    from distml.lifecycle.run import Resources, cluster_resources

    return cluster_resources(config, reporter, scratch) if engine == "ray" else Resources(reporter=reporter)


def _announcing(outcome: RunResult) -> Callable[[str], None]:
    def announce(url: str) -> None:
        outcome.endpoint = url
        show_result(outcome)
        say("\nCtrl-C ends it.")

    return announce


def _serve_apart(outcome: RunResult, port: int, detach: bool) -> None:
    """Serves what was promoted from a process of its own, as other models are served behind its port already; without
    `detach` for as long as this one lives."""
    from distml.cli.deploy import detached
    from distml.lifecycle.serving.down import end
    from distml.lifecycle.serving.live import LiveRecord

    assert outcome.version is not None
    outcome.endpoint = detached(outcome.version, outcome.storage, port)
    show_result(outcome)
    if detach:
        return
    live = LiveRecord(outcome.storage, outcome.version.name)
    try:
        say("\nCtrl-C ends it.")
        live.wait()
    except KeyboardInterrupt:
        end(live, say)


def show_result(outcome: RunResult) -> None:
    result(outcome.to_dict(), _summary(outcome))
    if outcome.endpoint is not None:
        from distml.cli.deploy import curl

        assert outcome.version is not None
        say(f"\nServed at {outcome.endpoint} (docs at {outcome.endpoint}/docs). Try:\n")
        say(curl(outcome.endpoint, outcome.version, outcome.storage))


def _summary(outcome: RunResult) -> str:
    """The result for people: metrics beside the baselines, the verdict, and where things are."""
    from distml.evaluation.page import figure

    parts = [f"run {outcome.run}"]
    document = outcome.to_dict()
    if outcome.evaluated is not None:
        names = list(outcome.evaluated.metrics)
        rows = [["test", *(figure(outcome.evaluated.metrics[name]) for name in names)]]
        rows += [
            [f"  {key}", *(figure(item[name]) for name in names)] for key, item in outcome.evaluated.baselines.items()
        ]
        parts.append(table([model_of(document), *names], rows))
    elif outcome.searched is not None:
        parts.append(f"best: {document['best']}")
    elif outcome.prepared is not None:
        parts.append(", ".join(f"{count:,} {split} rows" for split, count in outcome.prepared.num_rows.items()))
    if outcome.verdict is not None and outcome.version is not None:
        state = "promoted" if outcome.verdict.promoted else "not promoted"
        reasons = "\n".join(f"  {reason}" for reason in outcome.verdict.reasons)
        parts.append(f"{outcome.version.label} {state}:\n{reasons}")
    for name in ("report", "package"):
        if document[name] is not None:
            parts.append(f"{name}: {document[name]}")
    return "\n\n".join(parts)
