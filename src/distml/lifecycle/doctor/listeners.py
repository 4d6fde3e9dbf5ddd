"""Who takes TCP connections on this machine, as far as this user may know."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Listener:
    """A process that takes connections; `pid` 0 and no `command` where it is another user's."""

    address: str
    port: int
    pid: int = 0
    command: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether other machines reach it."""
        return is_open(self.address)

    @property
    def program(self) -> str:
        """The program's name, for Python the script's.

        >>> Listener(address="::", port=1, command=("/usr/bin/python3", "-u", "/ray/dashboard.py")).program
        'dashboard.py'
        >>> Listener(address="::", port=1, command=("/ray/gcs_server", "--log_dir=x")).program
        'gcs_server'
        """
        if not self.command:
            return "?"
        scripts = [part for part in self.command[1:] if part.endswith(".py")]
        is_python = Path(self.command[0]).name.startswith("python")
        return Path(scripts[0] if is_python and scripts else self.command[0]).name

    def __str__(self) -> str:
        return f"process {self.pid} ({' '.join(self.command)[:80]})" if self.pid else "another user's process"


def is_open(address: str) -> bool:
    """Whether other machines reach what listens on an IP address.

    >>> [is_open(address) for address in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "::", "0.0.0.0", "10.0.0.1")]
    [False, False, False, True, True, True]
    """
    known = ip_address(address)
    return not (getattr(known, "ipv4_mapped", None) or known).is_loopback


def listeners() -> list[Listener]:
    """All of them, by port."""
    from ray._private.utils import psutil

    taken = [known for known in psutil.net_connections("tcp") if known.status == psutil.CONN_LISTEN]
    found = [
        Listener(address=known.laddr.ip, port=known.laddr.port, pid=known.pid or 0, command=_command(known.pid))
        for known in taken
    ]
    return sorted(found, key=lambda known: (known.port, known.address))


def of_ray(session: str, raylet: int) -> list[Listener]:
    """Those of one node's Ray: of processes that name its session, and of all that these started."""
    from ray._private.utils import psutil

    roots = {raylet}
    for process in psutil.process_iter(["cmdline"]):
        if any(session in argument for argument in process.info["cmdline"] or ()):
            roots.add(process.pid)
    own = roots | {child for pid in roots for child in _children(pid)}
    return [known for known in listeners() if known.pid in own]


def environment(pid: int) -> dict[str, str] | None:
    """A process's environment, None where it is another user's or gone."""
    from ray._private.utils import psutil

    try:
        return psutil.Process(pid).environ()
    except psutil.Error:
        return None


def _command(pid: int | None) -> tuple[str, ...]:
    from ray._private.utils import psutil

    try:
        return tuple(psutil.Process(pid).cmdline()) if pid else ()
    except psutil.Error:
        return ()


def _children(pid: int) -> list[int]:
    from ray._private.utils import psutil

    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []
