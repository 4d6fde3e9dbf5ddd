"""`Front`: what one service asks of its cluster's endpoint; one file each, from which the launcher makes the whole."""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import stat
from dataclasses import asdict, dataclass
from pathlib import Path

from distml.config import RunConfig
from distml.config.tls import TlsConfig
from distml.errors import ConfigError

LOOPBACK = "127.0.0.1"
FRONTS, CERTIFICATE = "fronts", "certificate.pem"
_SPARE_S = 60.0  # replicas keep their own time; HAProxy waits for one that starts, not for one that is stuck


@dataclass(frozen=True, kw_only=True)
class Front:
    """host: where HAProxy listens, whatever Serve was told; is_open: no tokens are asked."""

    route: str
    host: str
    has_tls: bool
    is_open: bool
    timeout_s: float
    body_timeout_s: float
    max_body_bytes: int
    max_queued: int


def open_front(config: RunConfig) -> str:
    """Tells the endpoint of this process's cluster what a service needs; the host that Serve is to be told.

    To be called before Serve hears of the service. On a cluster that distml started HAProxy alone listens on
    `serve.host`, and replicas on loopback. Raises `ConfigError` where services share one endpoint and want it
    otherwise, where a certificate can't be used, and where it is asked of a cluster without HAProxy of ours.
    """
    state, tls = _state(), config.serve.tls
    if state is None:
        if isinstance(tls, TlsConfig):
            raise ConfigError(
                "HAProxy takes a certificate on a cluster that distml starts itself, on Linux",
                received=tls.certificate, where="serve.tls",
                remedy="put a proxy with TLS before the endpoint and say `serve.tls: proxy`",
            )  # fmt: skip
        return config.serve.host
    front = front_of(config)
    _check_shared(config.name, front, state)
    if isinstance(tls, TlsConfig):
        _keep(tls, state)
    _write(state / FRONTS / f"{config.name}.json", json.dumps(asdict(front)).encode())
    return LOOPBACK


def close_front(name: str) -> None:
    """What a service asked of the endpoint is asked no longer; nothing happens where it asked nothing."""
    state = _state()
    if state is not None:
        (state / FRONTS / f"{name}.json").unlink(missing_ok=True)


def front_of(config: RunConfig) -> Front:
    serve = config.serve
    return Front(
        route=config.route or "/",
        host=serve.host,
        has_tls=isinstance(serve.tls, TlsConfig),
        is_open=serve.auth is None,
        timeout_s=serve.timeout_s + serve.body_timeout_s + _SPARE_S,
        body_timeout_s=serve.body_timeout_s,
        max_body_bytes=int(serve.max_body_mb * (1 << 20)),
        max_queued=serve.max_queued,
    )


def check_certificate(tls: TlsConfig) -> None:
    """Raises `ConfigError` for a certificate that can't be read or doesn't fit its key, and a key others can read."""
    key = Path(tls.key or tls.certificate)
    try:
        mode = key.stat().st_mode
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.certificate, tls.key, password="")
    except OSError as error:  # ssl's errors are of it
        raise ConfigError(
            "serve.tls names a certificate in PEM and the key that it was made with, without a password",
            received=error.strerror or str(error), where=tls.certificate, remedy="look at both files",
        ) from None  # fmt: skip
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError("a key is its owner's alone", received=f"mode {stat.S_IMODE(mode):o}", where=str(key),
                          remedy=f"chmod 600 {key}")  # fmt: skip


def _state() -> Path | None:
    """The private folder of the local cluster that this process is a driver of, None without HAProxy of ours."""
    token = os.environ.get("RAY_AUTH_TOKEN_PATH")
    state = None if token is None else Path(token).parent
    return state if state is not None and (state / FRONTS).is_dir() else None


def _check_shared(name: str, front: Front, state: Path) -> None:
    for path in sorted((state / FRONTS).glob("*.json")):
        with contextlib.suppress(FileNotFoundError):  # taken down meanwhile
            other = Front(**json.loads(path.read_bytes()))
            if path.stem != name and (other.host, other.has_tls) != (front.host, front.has_tls):
                raise ConfigError(
                    "services of one cluster share its endpoint: serve.host and whether serve.tls has a certificate",
                    received=_told(front), where=f"serve; {path.stem} has {_told(other)}",
                    remedy=f"give both the same, or end the other with `distml down {path.stem}`",
                )  # fmt: skip


def _told(front: Front) -> str:
    return f"{front.host} {'with' if front.has_tls else 'without'} a certificate"


def _keep(tls: TlsConfig, state: Path) -> None:
    """The certificate and its key in one file, as HAProxy reads them, in the cluster's private folder."""
    check_certificate(tls)
    parts = [Path(path).read_bytes() for path in (tls.certificate, tls.key) if path is not None]
    _write(state / CERTIFICATE, b"\n".join(parts))


def _write(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}")
    beside.unlink(missing_ok=True)
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)
    beside.replace(path)
