"""Load by wrk: one thread, so many connections, each asking again as soon as it is answered."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("wrk.lua")
JSON = "application/json"
ARROW = "application/vnd.apache.arrow.stream"


@dataclass(frozen=True, kw_only=True)
class Load:
    """Requests of one kind. bodies: files that hold them, sent in turn; rows: in each of them."""

    connections: int
    bodies: tuple[Path, ...]
    rows: int = 1
    media_type: str = JSON


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a server did with a load. cpu_ms: of all of its processes, per request."""

    rows_per_s: float
    requests_per_s: float
    cpu_ms: float
    p50_ms: float
    p99_ms: float


def require_wrk() -> None:
    if shutil.which("wrk") is None:
        raise SystemExit("the load comes from wrk, which is not on PATH: apt install wrk")


def measure(url: str, load: Load, seconds: float, cpu_s: Callable[[], float] = lambda: 0.0) -> Measured:
    """cpu_s: what the server has taken so far. Raises `AssertionError` when any request fails."""
    environment = {
        **os.environ,
        "BODIES": "\n".join(map(str, load.bodies)),
        "CONTENT_TYPE": load.media_type,
        "ACCEPT": load.media_type,
    }
    command = ["wrk", "-t1", f"-c{load.connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s"]
    began_s = cpu_s()
    done = subprocess.run(
        [*command, "-s", str(SCRIPT), url], env=environment, capture_output=True, text=True, check=True
    )
    spent_s = cpu_s() - began_s
    result = json.loads(done.stdout.rpartition("RESULT ")[2])
    assert result["failed"] == 0 and result["requests"] > 0, f"{url}: {result}"
    rate = result["requests"] / result["seconds"]
    return Measured(
        rows_per_s=rate * load.rows, requests_per_s=rate, cpu_ms=1000 * spent_s / result["requests"],
        p50_ms=result["p50_ms"], p99_ms=result["p99_ms"],
    )  # fmt: skip
