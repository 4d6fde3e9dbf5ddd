"""Commands for what is served: deploy, monitor, status, down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distml.cli.options import DEFAULT_STORAGE, Json, Reference, StorageOption
from distml.cli.output import begin, result, say, table

if TYPE_CHECKING:
    from distml.config import RunConfig
    from distml.registry import Version
    from distml.storage import Storage

Name = Annotated[str, typer.Argument(help="a model's name", metavar="NAME")]


def register(app: typer.Typer) -> None:
    app.command()(deploy)
    app.command()(monitor)
    app.command()(status)
    app.command()(down)


def deploy(
    reference: Reference,
    port: Annotated[int | None, typer.Option("--port", help="the endpoint's port, over serve.port")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="serve in the background; `distml down` ends it")] = False,
    storage: StorageOption = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Serves a registered version until Ctrl-C. Where its model is served already, swaps the version in."""
    begin(json)
    from distml.lifecycle.deploy import LiveRecord, config_of
    from distml.lifecycle.on_ray import Signals, connected, local_cluster
    from distml.registry import StoreRegistry, resolve
    from distml.storage import Storage

    home = Storage(storage)
    version = resolve(StoreRegistry(home), reference)
    config = config_of(home, version)
    if port is not None:
        config = config.model_copy(update={"serve": config.serve.model_copy(update={"port": port})})
    live = LiveRecord(home, version.name)
    running = live.read()
    if running is not None:
        from distml.lifecycle.deploy import deploy as roll_out

        with connected(running["address"], running["token_path"]):
            url = roll_out(_as_served(config, running["url"]), home, version)
        live.update_version(version)
        result(
            {"name": version.name, "version": version.number, "endpoint": url}, f"{version.label} is served at {url}"
        )
        return
    if detach:
        url = detached(version, home, port)
        result(
            {"name": version.name, "version": version.number, "endpoint": url}, f"{version.label} is served at {url}"
        )
        return
    signals = Signals()
    signals.install()
    with local_cluster(signals) as state:
        hold(config, home, version, state, lambda url: _announce(version, home, url))


def _as_served(config: RunConfig, url: str) -> RunConfig:
    """The config with the port that the running service has."""
    from urllib.parse import urlsplit

    port = urlsplit(url).port
    return config.model_copy(update={"serve": config.serve.model_copy(update={"port": port})})


def hold(config: RunConfig, storage: Storage, version: Version, state: Path, ready: Callable[[str], None]) -> None:
    """Serves a version on this process's cluster until SIGINT or SIGTERM, which is how it is meant to end."""
    import signal

    from distml.lifecycle.deploy import LiveRecord, check_port
    from distml.lifecycle.deploy import deploy as roll_out

    check_port(config)
    url = roll_out(config, storage, version)
    live = LiveRecord(storage, config.name)
    live.write(url, version, state)
    try:
        ready(url)
        say("\nCtrl-C ends it.")
        while True:
            signal.pause()
    except KeyboardInterrupt:
        say("distml: ending the service")
    finally:
        live.remove()


def _announce(version: Version, storage: Storage, url: str) -> None:
    result(
        {"name": version.name, "version": version.number, "endpoint": url},
        f"{version.label} is served at {url} (docs at {url}/docs). Try:\n\n{curl(url, version, storage)}",
    )


def curl(url: str, version: Version, storage: Storage) -> str:
    """A command that gets a prediction for one of the package's golden rows."""
    import orjson

    rows = storage.read_json(f"{version.package}/golden.json")["rows"][:1]
    body = orjson.dumps({"rows": rows}).decode().replace("'", "'\\''")
    return f"curl -s {url}/predict -H 'content-type: application/json' -d '{body}'"


def detached(version: Version, storage: Storage, port: int | None = None) -> str:
    """Starts a process of its own that serves the version; returns its endpoint once it answers."""
    import subprocess
    import sys
    import time

    from distml.errors import DistmlError
    from distml.lifecycle.deploy import LiveRecord

    log = Path(storage.root) / "live" / f"{version.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "distml", "deploy", version.label, "--storage", storage.root]
    command += [] if port is None else ["--port", str(port)]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True
        )
    live = LiveRecord(storage, version.name)
    while process.poll() is None:
        record = live.read()
        if record is not None and record["pid"] == process.pid:
            return record["url"]
        time.sleep(0.2)
    lines = log.read_text().strip().splitlines()
    raise DistmlError("a detached service starts", received=lines[-1] if lines else "it ended", where=str(log))


def monitor(name: Name, storage: StorageOption = DEFAULT_STORAGE, json: Json = False) -> None:
    """Live traffic against the package's baseline: requests, latency, errors, drift by column."""
    begin(json)
    report = _ask_monitor(name, storage)
    result(report, _report_text(report))


def _ask_monitor(name: str, storage: str) -> dict[str, Any]:
    from distml.errors import NotFoundError
    from distml.lifecycle.deploy import LiveRecord
    from distml.lifecycle.on_ray import NAMESPACE, connected
    from distml.storage import Storage

    running = LiveRecord(Storage(storage), name).read()
    if running is None:
        raise NotFoundError(
            "a model is served before it is monitored",
            received=name,
            where=storage,
            remedy=f"distml deploy {name}",
        )
    with connected(running["address"], running["token_path"]):
        import ray

        from distml.monitor.on_ray import actor_name

        return ray.get(ray.get_actor(actor_name(name), namespace=NAMESPACE).report.remote())


def _report_text(report: dict[str, Any]) -> str:
    lines = [f"{report['name']}: {len(report['replicas'])} replicas"]
    for version, total in report["versions"].items():
        errors = ", ".join(f"{count} {kind}" for kind, count in total["errors"].items()) or "no errors"
        lines.append(f"version {version}: {total['requests']:,} requests, {total['rows']:,} rows, {errors}")
    for window in [*report["windows"][-1:], *report["filling"]]:
        state = "last full window" if window["is_full"] else "window filling"
        latency = window["latency_ms"]
        drifted = window["inputs"]["drifted"] + window["predictions"]["drifted"]
        lines += [
            "",
            f"{state}, version {window['version']}: {window['inputs']['rows']:,} rows, p50 {latency['p50']} ms, "
            f"p99 {latency['p99']} ms; drifted: {', '.join(drifted) or 'nothing'}",
            table(
                ["column", "psi", "p-value", ""],
                [
                    [c["column"], f"{c['psi']:.3f}", f"{c['p_value']:.2g}", "drifted" if c["drifted"] else ""]
                    for c in window["inputs"]["columns"] + window["predictions"]["columns"]
                ],
            ),
        ]
    if not report["windows"] and not report["filling"]:
        lines.append("no rows served yet")
    return "\n".join(lines)


def status(
    name: Annotated[str | None, typer.Argument(help="one model; all by default", metavar="[NAME]")] = None,
    storage: StorageOption = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Registered models, their champions, and what is served where."""
    begin(json)
    from distml.lifecycle.deploy import LiveRecord
    from distml.registry import StoreRegistry
    from distml.storage import Storage

    home = Storage(storage)
    registry = StoreRegistry(home)
    document: list[dict[str, Any]] = []
    for known in [name] if name else registry.names():
        champion = registry.champion(known)
        running = LiveRecord(home, known).read()
        document.append(
            {
                "name": known,
                "versions": len(registry.versions(known)),
                "champion": champion.number if champion else None,
                "served": running["version"] if running else None,
                "endpoint": running["url"] if running else None,
            }
        )
    rows = [
        [entry["name"], *("–" if value is None else str(value) for value in list(entry.values())[1:])]
        for entry in document
    ]
    head = ["model", "versions", "champion", "served", "endpoint"]
    result(document, table(head, rows) if rows else f"no models in {home.root}")


def down(
    name: Name,
    storage: StorageOption = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Ends the process that serves a model, and its cluster."""
    begin(json)
    import os
    import signal
    import time

    from distml.errors import NotFoundError
    from distml.lifecycle.deploy import LiveRecord
    from distml.storage import Storage

    running = LiveRecord(Storage(storage), name).read()
    if running is None:
        raise NotFoundError("a model is served before it is taken down", received=name, where=storage)
    os.kill(running["pid"], signal.SIGTERM)
    while _is_alive(running["pid"]):
        time.sleep(0.1)
    result({"name": name, "ended": running["pid"]}, f"{name} is no longer served")


def _is_alive(pid: int) -> bool:
    import os

    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
