"""The launcher stands in for HAProxy's binary: it tightens the configuration that Ray wrote, and becomes HAProxy.

A program of its own, run at each change of routes by a bare Python: standard library only. In the folder that the
environment names it finds `fronts/` (what each service asks for, see `front`) and `answers/`.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

BINARY, FOLDER = "DISTML_HAPROXY_BINARY", "DISTML_HAPROXY_FOLDER"
_SECTION = re.compile(r"^(?=(?:global|defaults|frontend|backend|listen)\b)", re.MULTILINE)
_SERVICE = re.compile(r"^backend (?!default_backend)", re.MULTILINE)
_LONGEST_HEADERS = 16_000  # bytes of all header lines together; what takes more is no prediction
_UNASKED = {"host": "127.0.0.1", "has_tls": False, "timeout_s": 60, "body_timeout_s": 10, "max_body_bytes": 1 << 24,
            "max_queued": 128}  # fmt: skip
_SERVES_OWN = (
    "serve_multiplexed_model_id", "serve-multiplexed-model-id", "x-session-id", "x-request-timeout-seconds",
    "x-serve-router- -m beg",
)  # fmt: skip


def tighten(config: str, fronts: Sequence[Mapping[str, Any]], folder: str) -> str:
    """Ray's configuration without what it opens to others, and with what keeps clients in bounds.

    fronts: what each service asks for, see `front.Front`; folder: the cluster's private one. Raises `ValueError` where
    the configuration isn't as expected, so that another Ray is noticed, not served half-tight.
    """
    parts = [part for part in _SECTION.split(config) if not part.startswith(("listen stats", "frontend prometheus"))]
    whole = _joined(fronts)
    edits: dict[str, Callable[[str], str]] = {
        "global": lambda part: _replaced(part, " mode 666 level admin", " mode 600 level admin"),
        "defaults": lambda part: _defaults(part, whole, folder),
        "frontend http_frontend": lambda part: _frontend(part, whole, fronts, folder),
        "backend default_backend": lambda part: _default_backend(fronts, folder),
    }
    names = [part.partition("\n")[0].strip() for part in parts]
    if missing := edits.keys() - names:
        raise ValueError(f"HAProxy's configuration has no {', '.join(sorted(missing))}")
    edits |= {name: lambda part: _backend(part, whole, folder) for name in names if name.startswith("backend http-")}
    parts = [edits[name](part) if name in edits else part for name, part in zip(names, parts, strict=True)]
    return re.sub(r"^ *log \S+:514 .*\n", "", "".join(parts), flags=re.MULTILINE)


def _joined(fronts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The endpoint of several services: one host, and of each limit the widest, as replicas keep their own."""
    if not fronts:
        return _UNASKED
    limits = ("timeout_s", "body_timeout_s", "max_body_bytes", "max_queued")
    return {**fronts[0], **{name: max(front[name] for front in fronts) for name in limits}}


def _defaults(part: str, whole: Mapping[str, Any], folder: str) -> str:
    """Answers of our own, and how long is waited for whom."""
    part = re.sub(r"^ *(errorfile|timeout (client|server|http-request)) .*\n", "", part, flags=re.MULTILINE)
    lines = [
        f"timeout http-request {_ms(whole['body_timeout_s'])}",  # the headers
        # Between two pieces of a longer body; the replica, which tells a slow client why, gives up first.
        f"timeout client {_ms(whole['body_timeout_s'] + 1)}",
        f"timeout server {_ms(whole['timeout_s'])}",
        "timeout check 10s",  # of a replica that took the connection and is at work; a killed one refuses it
        "option http-ignore-probes",
        *(f"errorfile {status} {folder}/answers/{status}.http" for status in (400, 408, 500, 502, 503, 504)),
    ]
    return part + _lines(lines)


def _frontend(part: str, whole: Mapping[str, Any], fronts: Sequence[Mapping[str, Any]], folder: str) -> str:
    bind = re.search(r"^ *bind \S+:(\d+)\n", part, flags=re.MULTILINE)
    if bind is None:
        raise ValueError("HAProxy's configuration binds no HTTP port")
    tls = f" ssl crt {folder}/certificate.pem ssl-min-ver TLSv1.2 alpn h2,http/1.1" if whole["has_tls"] else ""
    host = f"[{whole['host']}]" if ":" in whole["host"] else whole["host"]
    # A replica hears of a request when it is there as a whole, or fills a buffer.
    wait = f"http-request wait-for-body time {_ms(whole['body_timeout_s'])}"
    rules = [f"bind {host}:{bind.group(1)}{tls}", *_refusals(whole, fronts, folder), *_headers(), wait]
    part = part[: bind.start()] + _lines(rules) + part[bind.end() :]
    return re.sub(r"^ *(acl routes |http-request .* if routes).*\n", "", part, flags=re.MULTILINE)


def _refusals(whole: Mapping[str, Any], fronts: Sequence[Mapping[str, Any]], folder: str) -> list[str]:
    lines = []
    for front in fronts:
        if front["is_open"]:  # a browser would let a web page in whose own name was led to 127.0.0.1
            lines += [f"acl to_open {known}" for known in _paths_of(front["route"])]
    refused = [(421, "to_open { req.hdr(host) -m found } !{ req.hdr(host),host_only -m str -i %s }")] if lines else []
    refused += [
        (431, f"{{ req.hdrs,length gt {_LONGEST_HEADERS} }}"),
        (413, f"{{ req.hdr_val(content-length) gt {whole['max_body_bytes']} }}"),
        # Serve's own paths, which tell what else is served; whether it is up, anyone may ask.
        (404, "{ path,url_dec -i -m beg /-/ } !{ path /-/healthz }"),
    ]
    names = " ".join(dict.fromkeys(("localhost", "127.0.0.1", "[::1]", whole["host"])))
    for status, condition in refused:
        asked = condition.replace("%s", names)
        lines.append(f"http-request return status {status} errorfile {folder}/answers/{status}.http if {asked}")
    return lines


def _headers() -> list[str]:
    """What Serve would take from a client, whatever its bytes. The replica keeps the time, and a prediction is made
    whoever hung up meanwhile, so Serve needn't watch each request's connection in a task of its own."""
    return [
        *(f"http-request del-header {name}" for name in _SERVES_OWN),
        "http-request del-header x-request-id if !{ req.hdr(x-request-id) -m reg ^[!-~]{1,128}$ }",
        "http-request set-header x-request-disconnect-disabled ?1",
    ]


def _backend(part: str, whole: Mapping[str, Any], folder: str) -> str:
    """A service's replicas, each of which is sent as many requests at once as may wait in it. More are refused here:
    a replica that has to read a request to refuse it gets slower for those that it took."""
    is_full = "{ be_conn_free le 0 } { nbsrv gt 0 } { method POST }"  # health and metrics may wait for a moment
    rules = [
        f"default-server maxconn {whole['max_queued']}",
        f"http-request return status 429 errorfile {folder}/answers/429.http if {is_full}",
    ]
    name, _, rest = part.partition("\n")
    return f"{name}\n{_lines(rules)}{rest}"


def _default_backend(fronts: Sequence[Mapping[str, Any]], folder: str) -> str:
    """Paths that Serve has not told of: those of a service come with it, as after HAProxy was started anew; any other
    is nobody's. Ray's own text names the page that lists all services."""
    lines = [f"acl to_come {known}" for front in fronts for known in _paths_of(front["route"])]
    answers = [(503, " if to_come")] if lines else []
    for status, condition in [*answers, (404, "")]:
        lines.append(f"http-request return status {status} errorfile {folder}/answers/{status}.http{condition}")
    return f"backend default_backend\n{_lines(lines)}"


def _paths_of(route: str) -> tuple[str, str]:
    """Conditions of which the paths of a service fulfil one."""
    return f"path {route}", f"path_beg {route.rstrip('/')}/"


def _replaced(part: str, old: str, new: str) -> str:
    if old not in part:
        raise ValueError(f"HAProxy's configuration has no {old!r}")
    return part.replace(old, new)


def _ms(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"


def _lines(lines: Sequence[str]) -> str:
    return "".join(f"    {line}\n" for line in lines)


def launch(arguments: list[str]) -> None:
    """Becomes HAProxy. Ray compares HAProxy's process id with its child's and looks for the configuration's path
    in its arguments, so the file is rewritten in place and this process replaced, not forked."""
    parent = os.getppid()
    pr_set_pdeathsig = 1
    if ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGTERM, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:  # it died before the line above
        sys.exit(1)
    os.setsid()  # a terminal's Ctrl-C is for the driver, which stops everything in order
    path = Path(arguments[arguments.index("-f") + 1])
    folder = Path(os.environ[FOLDER])
    fronts = [json.loads(front.read_text()) for front in sorted(folder.glob("fronts/*.json"))]
    config = tighten(path.read_text(), fronts, str(folder))
    last = path.with_suffix(".last")
    if fronts and not _SERVICE.search(config) and last.exists():
        config = last.read_text()  # what the one before knew, until Serve tells this one
    tight = path.with_suffix(".tight")
    for place in (last, path):
        tight.write_text(config)
        tight.replace(place)
    binary = os.environ[BINARY]
    os.execv(binary, [binary, *arguments, *([] if "-sf" in arguments else _successor(path, config))])


def _successor(path: Path, config: str) -> list[str]:
    """Arguments by which HAProxy takes the sockets over from one that runs, where Ray doesn't name it, as it does in a
    reload: that one's manager was given up as stuck, and is about to end. The port would be in use otherwise."""
    running = [process.name for process in Path("/proc").glob("[0-9]*") if _is_running(process, os.fsencode(path))]
    admin = re.search(r"^ *stats socket (\S+)", config, flags=re.MULTILINE)
    return ["-x", admin.group(1), "-sf", *running] if running and admin else []


def _is_running(process: Path, path: bytes) -> bool:
    try:
        known = (process / "comm").read_text() == "haproxy\n"
        return known and path in (process / "cmdline").read_bytes().split(b"\0")
    except OSError:  # it ended meanwhile
        return False


if __name__ == "__main__":
    launch(sys.argv[1:])
