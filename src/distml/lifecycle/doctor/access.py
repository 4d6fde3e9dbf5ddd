"""Who may use a cluster: whoever submits a task to Ray runs code as its user."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from distml.cluster.reach import TIMEOUT_S
from distml.config.auth import AuthConfig
from distml.errors import ConfigError
from distml.lifecycle.doctor.check import Check, refusal
from distml.lifecycle.doctor.listeners import Listener, environment, is_open
from distml.serve.tokens.auth import require_tokens
from distml.wording import numbered

_MOST_SHOWN = 4
_POWERFUL = ("gcs_server", "raylet", "dashboard.py")  # what hands out work; the others do it
_USE_TOKEN = (
    "start Ray with RAY_AUTH_MODE=token and the same token file on every node (`ray get-auth-token --generate`); "
    "until then let only trusted machines reach it"
)


def authentication(known: Sequence[Listener], *, by_token: bool) -> Check:
    """Of one node. known: what its Ray listens on."""
    most_powerful_first = sorted((one for one in known if one.is_open), key=_power)
    reached = [f"{one.program} on port {one.port}" for one in most_powerful_first]
    shown = ", ".join(reached[:_MOST_SHOWN])
    shown += f" and {len(reached) - _MOST_SHOWN} more" if len(reached) > _MOST_SHOWN else ""
    if by_token:
        told = f"; other machines reach {shown}" if reached else "; only this machine reaches it"
        return Check(name="authentication", state="ok", found=f"by token{told}")
    if reached:
        found = f"none: who reaches {shown} runs code here"
        return Check(name="authentication", state="fail", found=found, remedy=_USE_TOKEN)
    found = "none: every user of this machine runs code as this one"
    return Check(name="authentication", state="warn", found=found, remedy=_USE_TOKEN)


def _power(known: Listener) -> tuple[int, int]:
    rank = _POWERFUL.index(known.program) if known.program in _POWERFUL else len(_POWERFUL)
    return rank, known.port


def other_clusters(
    known: Sequence[Listener], environment_of: Callable[[int], Mapping[str, str] | None] = environment
) -> list[Check]:
    """Clusters on this machine that other machines reach and that ask for no token; distml's own never are."""
    checks = []
    for one in known:
        around = environment_of(one.pid) if one.program == "gcs_server" and one.is_open else None
        if around is not None and around.get("RAY_AUTH_MODE", "").lower() != "token":
            found = f"a Ray cluster on port {one.port}, process {one.pid}, has none: who reaches it runs code here"
            checks.append(Check(name="authentication", state="warn", found=found, remedy=_USE_TOKEN))
    return checks or [Check(name="authentication", state="ok", found="no cluster here that takes anyone's code")]


def dashboard(address: str | None) -> Check:
    """A cluster's dashboard, HOST:PORT, which `--address` and `ray job submit` speak to."""
    import requests

    if not address:
        found, remedy = "none: --address and `ray job submit` can't be used", "pip install 'ray[default]' on the head"
        return Check(name="dashboard", state="warn", found=found, remedy=remedy)
    try:
        reply = requests.get(f"http://{address}/api/jobs/", timeout=TIMEOUT_S)
    except requests.RequestException:
        found = f"{address} doesn't answer: --address and `ray job submit` can't be used"
        remedy = "look at dashboard.log under Ray's session folder on the head"
        return Check(name="dashboard", state="warn", found=found, remedy=remedy)
    if reply.status_code in (401, 403):
        return Check(name="dashboard", state="ok", found=f"{address} answers, and asks for a token")
    found = f"{address} takes jobs without a token"
    host = urlsplit(f"//{address}").hostname or ""
    is_reached = host != "localhost" and is_open(host)
    return Check(name="dashboard", state="fail" if is_reached else "warn", found=found, remedy=_USE_TOKEN)


def token(*, is_needed: bool) -> Check:
    """Where this process's token comes from, and who else may read it. is_needed: a cluster is asked."""
    if os.environ.get("RAY_AUTH_TOKEN"):
        return Check(name="token", state="ok", found="in RAY_AUTH_TOKEN")
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    path = Path(named).expanduser() if named else Path.home() / ".ray" / "auth_token"
    if not path.exists():
        found = "no file, and the cluster took this process in without" if is_needed else "none, and none is needed"
        return Check(name="token", state="ok", found=found)
    if is_exposed(path):
        found, remedy = f"{path} can be read by other users", f"chmod 600 {path}"
        return Check(name="token", state="fail" if is_needed or named else "warn", found=found, remedy=remedy)
    return Check(name="token", state="ok", found=f"{path} is this user's alone")


def tokens(auth: AuthConfig | None) -> list[Check]:
    """Whether a replica that starts here would find the tokens that a config asks for; nothing where it asks none."""
    if auth is None:
        return []
    try:
        known = require_tokens(auth)
    except ConfigError as error:
        return [refusal("tokens", error)]
    return [Check(name="tokens", state="ok", found=f"{numbered(known.num, 'token')} in {auth.tokens}")]


def is_exposed(path: Path) -> bool:
    """Whether its group or everybody can read a file: by its own mode, and those of all folders above it."""
    mode = path.stat().st_mode
    above = [folder.stat().st_mode for folder in path.absolute().parents]
    by_group = mode & stat.S_IRGRP and all(folder & stat.S_IXGRP for folder in above)
    by_others = mode & stat.S_IROTH and all(folder & stat.S_IXOTH for folder in above)
    return bool(by_group or by_others)
