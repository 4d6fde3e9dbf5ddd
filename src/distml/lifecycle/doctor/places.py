"""Where things are kept: storage that every node reaches, and the tracking server or database."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from distml.cluster.reach import TIMEOUT_S, answers
from distml.lifecycle.doctor.check import Check
from distml.secrets import with_secrets, without_password
from distml.storage import Storage

_SHARE = "name a path that every node mounts at the same place, or a bucket (s3://, gs://)"
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


def storage(root: str) -> Check:
    """One machine's storage, written, read and left as it was."""
    began = time.monotonic()
    home, mark = Storage(root), secrets.token_hex(16)
    folder = new_folder()
    write_mark(home, folder, "here", mark)
    read = read_marks(home, folder)
    remove_marks(home, folder)
    if read != {"here": mark}:
        found = f"{home.root}: what was written is not what is read"
        return Check(name="storage", state="fail", found=found, remedy="use a file system that keeps what it is given")
    return Check(name="storage", state="ok", found=f"{home.root}: written and read in {time.monotonic() - began:.2f} s")


def new_folder() -> str:
    """A name that no run has and no listing of runs looks below."""
    return f".distml-doctor-{secrets.token_hex(8)}"


def write_mark(home: Storage, folder: str, node: str, mark: str) -> None:
    home.write_bytes(f"{folder}/{node}", mark.encode())


def read_marks(home: Storage, folder: str) -> dict[str, str]:
    """What each node has written, as seen from here."""
    return {name: home.read_bytes(f"{folder}/{name}").decode() for name in home.list(folder)}


def remove_marks(home: Storage, folder: str) -> None:
    home.delete(folder)
    home.delete_if_empty()


def shared_findings(root: str, marks: Mapping[str, str], seen: Mapping[str, Mapping[str, str]]) -> list[Check]:
    """One finding per node of storage that all are to share.

    marks: what each node wrote; seen: by node that looked, what it read.
    """
    checks = []
    for node, read in seen.items():
        unseen = [name for name, mark in marks.items() if read.get(name) != mark]
        if not unseen:
            others = f", and read as all {len(marks)} nodes wrote it" if len(marks) > 1 else " and read"
            found = f"{root}: written{others}"
            checks.append(Check(name="storage", state="ok", found=found, node=node))
        else:
            found = f"{root}: what {', '.join(unseen)} wrote isn't there; the path is not shared"
            checks.append(Check(name="storage", state="fail", found=found, remedy=_SHARE, node=node))
    return checks


def tracking(uri: str | None, root: str | None, timeout_s: float = TIMEOUT_S) -> Check:
    """Whether MLflow's server or database answers in time; its own client asks for minutes.

    root: of storage, where the database is without a `uri`.
    """
    if uri is None:
        if root is None or "://" in root:
            return Check(
                name="tracking", state="ok", found="a database under storage, where the config names no server"
            )
        return _database(Path(root) / "mlflow" / "mlflow.db")
    shown, parts = without_password(uri), urlsplit(with_secrets(uri))
    scheme = parts.scheme.partition("+")[0]
    if scheme == "sqlite":
        return _database(Path(uri.partition(":///")[2]))
    if scheme in ("http", "https"):
        return _server(with_secrets(uri), shown, timeout_s)
    if scheme in _PORTS:
        reason = answers(parts.hostname or "", parts.port or _PORTS[scheme], timeout_s)
        return _answer(shown, reason, "start the database, or correct tracking.uri")
    found = f"{shown}: not looked at, because only servers and databases can be"
    return Check(name="tracking", state="warn", found=found, remedy="open it with MLflow's own client")


def _database(path: Path) -> Check:
    """An SQLite database of MLflow's; one whose making was broken off can never be opened."""
    if not path.exists():
        return Check(name="tracking", state="ok", found=f"{path}: made by the first run")
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=TIMEOUT_S)) as database:
            versions = database.execute("SELECT version_num FROM alembic_version").fetchall()
            database.execute("SELECT count(*) FROM experiments").fetchall()
    except sqlite3.Error as error:
        found, remedy = f"{path} can't be read: {error}", f"move {path} away: the next run makes another"
        return Check(name="tracking", state="fail", found=found, remedy=remedy)
    if not versions:
        found, remedy = f"{path} is half made", f"move {path} away: the next run makes another"
        return Check(name="tracking", state="fail", found=found, remedy=remedy)
    if not os.access(path, os.W_OK):
        return Check(name="tracking", state="fail", found=f"{path} can't be written", remedy="change its permissions")
    return Check(name="tracking", state="ok", found=f"{path}: opens")


def _server(uri: str, shown: str, timeout_s: float) -> Check:
    import requests

    url = f"{uri.rstrip('/')}/api/2.0/mlflow/experiments/search"
    try:
        reply = requests.get(url, params={"max_results": 1}, timeout=timeout_s, auth=_credentials(uri))
    except requests.RequestException as error:
        return _answer(shown, _reason(error, timeout_s), "start it (`mlflow server`), or correct tracking.uri")
    if reply.status_code in (401, 403):
        remedy = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
        return _answer(shown, f"HTTP {reply.status_code}, it wants credentials", remedy)
    is_mlflow = reply.status_code == 200 and "json" in reply.headers.get("content-type", "")
    reason = None if is_mlflow else f"HTTP {reply.status_code}, which is not MLflow's answer"
    return _answer(shown, reason, "correct tracking.uri: it is where `mlflow server` listens")


def _credentials(uri: str) -> tuple[str, str] | None:
    """As MLflow's client would give them; those in the URI itself go with it."""
    user, password = os.environ.get("MLFLOW_TRACKING_USERNAME"), os.environ.get("MLFLOW_TRACKING_PASSWORD")
    return (user, password or "") if user and not urlsplit(uri).username else None


def _answer(shown: str, reason: str | None, remedy: str) -> Check:
    if reason is None:
        return Check(name="tracking", state="ok", found=f"{shown}: answers")
    return Check(name="tracking", state="fail", found=f"{shown}: {reason}", remedy=remedy)


def _reason(error: Exception, timeout_s: float) -> str:
    import requests

    if isinstance(error, requests.Timeout):
        return f"no answer in {timeout_s:g} s"
    return "nothing answers" if isinstance(error, requests.ConnectionError) else type(error).__name__
