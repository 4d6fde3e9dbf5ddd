"""The command `deploy`, and what serving from a command comes to: `run --deploy` does it too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distml.cli.options import DEFAULT_STORAGE, Json, Reference, StorageOption
from distml.cli.output import begin, result, say

if TYPE_CHECKING:
    from distml.config.rollout import RolloutConfig
    from distml.registry import Version
    from distml.storage import Storage


def register(app: typer.Typer) -> None:
    app.command()(deploy)


def deploy(
    reference: Reference,
    port: Annotated[int | None, typer.Option("--port", help="the endpoint's port, over serve.port")] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="serve in the background, `distml down` ends it; don't follow a rollout")
    ] = False,
    shadow: Annotated[
        float | None, typer.Option("--shadow", help="only listen for so long, over serve.rollout", metavar="SECONDS")
    ] = None,
    canary: Annotated[
        str | None, typer.Option("--canary", help="5,25,100: percentages, over serve.rollout", metavar="PERCENTS")
    ] = None,
    step_s: Annotated[float | None, typer.Option("--step-s", help="how long each lasts, over serve.rollout")] = None,
    share: Annotated[
        float | None,
        typer.Option("--share", help="A/B test: so much of the requests, until ended", metavar="PERCENT"),
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="why, for the audit log", metavar="TEXT")] = None,
    storage: StorageOption = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Serves a registered version until Ctrl-C. Where its model is served already, the version takes over there: at
    once, or step by step as serve.rollout or the options say."""
    begin(json)
    from distml.cli.rollout import plan_of
    from distml.lifecycle.configs import config_of
    from distml.package import require_code
    from distml.registry import StoreRegistry, resolve
    from distml.storage import Storage

    home = Storage(storage)
    version = resolve(StoreRegistry(home), reference)
    config = config_of(home, version)
    require_code(home, version.package)
    if port is not None:
        _check_port_of_service(home, version.name, port)
        config = config.model_copy(update={"serve": config.serve.model_copy(update={"port": port})})
    if share is not None:
        _check_alone({"--shadow": shadow, "--canary": canary, "--step-s": step_s})
    plan = plan_of(config.serve.rollout, shadow, canary, step_s)
    if _taken_over(home, version, plan, share, reason, detach):
        return
    given = {"--shadow": shadow, "--canary": canary, "--step-s": step_s, "--share": share}
    _check_none([option for option, value in given.items() if value is not None], version)
    say(f"distml: {version.label} is loaded and checked before it answers, which takes some seconds")
    if detach:
        _tell(version, detached(version, home, port))
        return
    from distml.cluster.on_ray import Signals
    from distml.lifecycle.serving.hold import serve

    signals = Signals()
    signals.install()
    serve(config, home, version, signals, ready=lambda url: _announce(version, home, url), say=say)


def _taken_over(
    storage: Storage, version: Version, plan: RolloutConfig, share: float | None, reason: str | None, detach: bool
) -> bool:
    """Lets a version take over in its model's service; whether there is one. Exits with 3 where it is rolled back."""
    from distml.cli.rollout import follow, phase_line
    from distml.lifecycle.serving.takeover import Wish, take_over
    from distml.lifecycle.versions import check_refusal
    from distml.lifecycle.who import this_user
    from distml.registry import StoreRegistry

    is_promotion = share is None and not plan.is_at_once
    wish = Wish(
        version=version, plan=plan, action="promote" if is_promotion else "keep", shared=share, by=this_user(),
        reasons=(reason or "by hand",),
    )  # fmt: skip
    registry = StoreRegistry(storage)
    taken = take_over(storage, wish, (lambda: check_refusal(registry, version, reason)) if is_promotion else None)
    if taken is None:
        return False
    rollout, url = taken
    from distml.lifecycle.serving.rollouts import current

    if not is_promotion:
        _tell(version, url, share if rollout.before is not None else None)
        return True
    about = (current(storage, version.name) or {}) if detach else follow(storage, rollout)
    number = about["challenger"] if about["percent"] == 100 else about["before"]
    document = {"name": version.name, "version": number, "endpoint": url, "rollout": about}
    result(document, f"{version.label}: {phase_line(about)}; {version.name}/{number} is served at {url}")
    if about["phase"] == "rolled back":
        raise typer.Exit(3)
    return True


def _check_none(options: list[str], version: Version) -> None:
    from distml.errors import UsageError

    if options:
        raise UsageError(
            "a version takes over step by step from one that is served",
            received=f"{', '.join(options)}, and {version.name} isn't served",
            remedy=f"leave {'it' if len(options) == 1 else 'them'} out",
        )


def _check_alone(steps: dict[str, Any]) -> None:
    from distml.errors import UsageError

    given = [option for option, value in steps.items() if value is not None]
    if given:
        raise UsageError(
            "an A/B test has no steps",
            received=f"--share and {', '.join(given)}",
            remedy="give --share alone, or the steps without it",
        )


def _tell(version: Version, url: str, share: float | None = None) -> None:
    document = {"name": version.name, "version": version.number, "endpoint": url}
    told = f"{version.label} is served at {url}"
    if share is not None:
        told = (
            f"{version.label} has {share:g} % of the requests at {url}, until another deploy or promote, "
            f"or distml rollback {version.name}"
        )
    result(document, told)


def _check_port_of_service(storage: Storage, name: str, port: int) -> None:
    from urllib.parse import urlsplit

    from distml.errors import UsageError
    from distml.lifecycle.serving.live import LiveRecord

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

    from distml.lifecycle.configs import config_of

    token = "" if config_of(storage, version).serve.auth is None else " -H 'authorization: Bearer TOKEN'"
    rows = storage.read_json(f"{version.package}/golden.json")["rows"][:1]
    body = orjson.dumps({"rows": rows}).decode().replace("'", "'\\''")
    return f"curl -s {url}/predict -H 'content-type: application/json'{token} -d '{body}'"


def detached(version: Version, storage: Storage, port: int | None = None) -> str:
    """Starts a process of its own that serves the version; returns its endpoint once it answers."""
    import subprocess
    import sys
    import time

    from distml.errors import DistmlError
    from distml.lifecycle.serving.live import LiveRecord

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
