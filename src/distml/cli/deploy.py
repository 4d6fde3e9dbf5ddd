"""The command `deploy`, and what serving from a command comes to: `run --deploy` does it too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from distml.cli.options import DEFAULT_STORAGE, Json, Reference, StorageOption
from distml.cli.output import begin, result, say

if TYPE_CHECKING:
    from distml.registry import Version
    from distml.storage import Storage


def register(app: typer.Typer) -> None:
    app.command()(deploy)


def deploy(
    reference: Reference,
    port: Annotated[int | None, typer.Option("--port", help="the endpoint's port, over serve.port")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="serve in the background; `distml down` ends it")] = False,
    storage: StorageOption = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Serves a registered version until Ctrl-C. Where its model is served already, swaps the version in."""
    begin(json)
    from distml.cluster.on_ray import Signals
    from distml.lifecycle.deploy import config_of, require_code, swap_live
    from distml.registry import StoreRegistry, resolve
    from distml.storage import Storage

    home = Storage(storage)
    version = resolve(StoreRegistry(home), reference)
    config = config_of(home, version)
    require_code(home, version)
    if port is not None:
        _check_port_of_service(home, version.name, port)
        config = config.model_copy(update={"serve": config.serve.model_copy(update={"port": port})})
    url = swap_live(home, version)
    if url is None and detach:
        url = detached(version, home, port)
    if url is not None:
        document = {"name": version.name, "version": version.number, "endpoint": url}
        result(document, f"{version.label} is served at {url}")
        return
    from distml.lifecycle.hold import serve

    signals = Signals()
    signals.install()
    serve(config, home, version, signals, ready=lambda url: _announce(version, home, url), say=say)


def _check_port_of_service(storage: Storage, name: str, port: int) -> None:
    from urllib.parse import urlsplit

    from distml.errors import UsageError
    from distml.lifecycle.live import LiveRecord

    running = LiveRecord(storage, name).read()
    if running is not None and urlsplit(running["url"]).port != port:
        raise UsageError(
            "a service keeps the port that it was started on",
            received=f"--port {port}, served at {running['url']}",
            remedy=f"leave --port out, or distml down {name} first",
        )


def _announce(version: Version, storage: Storage, url: str) -> None:
    result(
        {"name": version.name, "version": version.number, "endpoint": url},
        f"{version.label} is served at {url} (docs at {url}/docs). Try:\n\n{curl(url, version, storage)}",
    )
    say("\nCtrl-C ends it.")


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
    from distml.lifecycle.live import LiveRecord

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
