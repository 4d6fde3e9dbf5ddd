"""Joining a cluster that doesn't answer, or not to us: said in seconds where Ray would ask for minutes."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from distml.errors import ConfigError

TIMEOUT_S = 3.0


def answers(host: str, port: int, timeout_s: float = TIMEOUT_S) -> str | None:
    """Why nothing takes a connection there, None when something does."""
    try:
        with socket.create_connection((host, port), timeout_s):
            return None
    except TimeoutError:
        return f"no answer in {timeout_s:g} s"
    except OSError as error:
        return error.strerror or str(error)


def host_and_port(address: str, default_port: int) -> tuple[str, int]:
    """
    >>> host_and_port("10.0.0.1:6379", 80), host_and_port("db", 5432), host_and_port("[::1]:80", 443)
    (('10.0.0.1', 6379), ('db', 5432), ('::1', 80))
    """
    host, separator, port = address.rpartition(":")
    if not separator or not port.isdigit():
        host, port = address, str(default_port)
    return host.strip("[]"), int(port)


@contextlib.contextmanager
def reaching(address: str) -> Iterator[None]:
    """Around `ray.init` for a cluster that is there without us. Raises `ConfigError` for one that can't be joined.

    address: of its control store, HOST:PORT, or "auto".
    """
    from ray.exceptions import AuthenticationError

    reason = None if address == "auto" else answers(*host_and_port(address, 6379))
    if reason is not None:
        raise ConfigError(
            "a cluster's control store answers at its address", received=reason, where=f"RAY_ADDRESS {address}",
            remedy="start Ray there (`ray start --head`), or unset RAY_ADDRESS to work on this machine alone",
        )  # fmt: skip
    try:
        yield
    except (AuthenticationError, ConnectionError) as error:
        raise ConfigError(
            "a cluster takes this process in", received=_first_line(error), where=f"RAY_ADDRESS {address}",
            remedy="set RAY_AUTH_MODE as on the cluster, and RAY_AUTH_TOKEN_PATH to a file with its token",
        ) from error  # fmt: skip
    except RuntimeError as error:
        raise ConfigError(
            "a cluster has this machine's versions of Ray and Python",
            received=" ".join(str(error).split())[:300], where=f"RAY_ADDRESS {address}",
            remedy="install distml with the same constraints on every node",
        ) from error  # fmt: skip


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
