"""Ports that commands need: free, or held by whom."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from distml.lifecycle.doctor.check import Check
from distml.lifecycle.doctor.listeners import Listener
from distml.lifecycle.serving.live import services
from distml.storage import Storage

_HEAD_PORTS = {  # port: the program of Ray's that listens there, and the option that gives it another
    6379: ("gcs_server", "--port"),
    8265: ("dashboard.py", "--dashboard-port"),
    52365: ("ray::DashboardAgent", "--dashboard-agent-listen-port"),
}


def endpoint(host: str, port: int, known: Sequence[Listener], served: Mapping[int, str], *, is_named: bool) -> Check:
    """The port that `deploy` listens on. served: models of distml's by their ports; is_named: by a config."""
    reason = _refused(host, port)
    if reason is None:
        return Check(name="endpoint's port", state="ok", found=f"{host}:{port} is free")
    if port in served:
        return Check(name="endpoint's port", state="ok", found=f"{host}:{port} is where {served[port]} is served")
    holder = next((str(one) for one in known if one.port == port), reason)
    return Check(
        name="endpoint's port",
        state="fail" if is_named else "warn",
        found=f"{host}:{port} is held by {holder}",
        remedy=f"end it, or choose another with -s serve.port={port + 1}",
    )


def served_ports(root: str | None) -> dict[int, str]:
    """The ports that a storage's services say they listen on, and their models."""
    records = [(live.name, live.last()) for live in services(Storage(root))] if root is not None else []
    return {urlsplit(record["url"]).port or 0: name for name, record in records if record is not None}


def head_ports(known: Sequence[Listener]) -> list[Check]:
    """Whether a head that is started on this machine gets the ports that Ray gives it and others expect."""
    checks = []
    for port, (ray, option) in _HEAD_PORTS.items():
        holder = next((one for one in known if one.port == port), None)
        if holder is not None and holder.program != ray:
            found, remedy = f"{port} is held by {holder}", f"give `ray start` another {option}"
            checks.append(Check(name="head's ports", state="warn", found=found, remedy=remedy))
        elif holder is not None:
            found = f"{port} is Ray's already, {holder}"
            checks.append(Check(name="head's ports", state="ok", found=found))
    free = f"{', '.join(map(str, _HEAD_PORTS))} are free"
    return checks or [Check(name="head's ports", state="ok", found=free)]


def _refused(host: str, port: int) -> str | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return None
