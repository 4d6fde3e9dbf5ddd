"""A terminal for tests: a command runs in it, and one looks at its screen."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyte

INTERRUPT = b"\x03"


class Terminal:
    """A command in a terminal of its own, whose screen is read as it is drawn."""

    def __init__(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], width: int, height: int) -> None:
        self.screen = pyte.Screen(width, height)
        self._stream = pyte.ByteStream(self.screen)
        self._near, far = os.openpty()
        _resize(far, width, height)
        self.settings = termios.tcgetattr(far)
        self._far = far  # kept open, to look at its settings when the command has ended
        variables = {key: value for key, value in env.items() if key not in ("CI", "COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            command, cwd=cwd, env={**variables, "TERM": "xterm-256color"}, stdin=far, stdout=far, stderr=far,
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip

    @property
    def lines(self) -> list[str]:
        """What stands on the screen, empty lines left out."""
        return [line.rstrip() for line in self.screen.display if line.strip()]

    @property
    def is_restored(self) -> bool:
        """Whether the terminal is as it was: its cursor shown at the start of a line, its settings the same."""
        same = termios.tcgetattr(self._far) == self.settings
        return same and not self.screen.cursor.hidden and self.screen.cursor.x == 0

    def press(self, key: bytes) -> None:
        os.write(self._near, key)

    def wait_for(self, holds: Callable[[list[str]], bool], timeout_s: float = 120) -> list[str]:
        """The first screen that something is true of."""
        end = time.monotonic() + timeout_s
        while not holds(self.lines):
            assert time.monotonic() < end, "\n".join(self.lines)
            self._read(0.1)
        return self.lines

    def wait(self, timeout_s: float = 120) -> int:
        """The exit code of the command, whose last words are on the screen then."""
        end = time.monotonic() + timeout_s
        while self.process.poll() is None:
            assert time.monotonic() < end, "\n".join(self.lines)
            self._read(0.1)
        while self._read(0.0):
            pass
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._near)
        os.close(self._far)

    def _read(self, timeout_s: float) -> bool:
        ready, _, _ = select.select([self._near], [], [], timeout_s)
        if ready:
            self._stream.feed(os.read(self._near, 65_536))
        return bool(ready)


def _resize(terminal: int, width: int, height: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
