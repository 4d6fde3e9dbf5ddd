"""Helpers for tests that run the real commands: `distml` in a process of its own, and what it leaves behind."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

TINY = """
name: tiny
data: {source: {uri: "sklearn:breast_cancer"}, target: target, task: binary, positive: malignant}
model: {families: [linear]}
search: {num_samples: 2, metric: log_loss}
train: {max_epochs: 5}
"""


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "distml", *map(str, arguments)]


def environment() -> dict[str, str]:
    """The test process's environment without what it set for its own Ray cluster."""
    return {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}


def distml(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    return subprocess.run(
        command(*arguments), cwd=cwd, env=environment(), capture_output=True, text=True, timeout=300, check=False
    )


def document(done: subprocess.CompletedProcess[str]) -> Any:
    """The JSON document of a command that ended well."""
    assert done.returncode == 0, done.stderr
    return orjson.loads(done.stdout)


@contextmanager
def serving(*arguments: str | Path, cwd: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A foreground service and its URL, ended by SIGTERM."""
    with (cwd / "serving.err").open("w") as errors:
        process = subprocess.Popen(
            command(*arguments), cwd=cwd, env=environment(), stdout=subprocess.PIPE, stderr=errors, text=True
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/\S+", line)
        assert found, f"{line}\n{(cwd / 'serving.err').read_text()}"
        yield process, found.group(0).rstrip("/")
    finally:
        process.terminate()
        process.wait(60)


def processes_of(folder: Path | str) -> list[str]:
    """Command lines of living processes that name a folder in their arguments or environment."""
    needle = os.fsencode(str(folder))
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.name != str(os.getpid()) and (
                needle in (process / "cmdline").read_bytes() or needle in (process / "environ").read_bytes()
            ):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:200])
        except OSError:
            continue
    return found
