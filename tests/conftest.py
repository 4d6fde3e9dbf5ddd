"""Fixtures that several test modules share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from databases import PASSWORD, VARIABLE, Server, binaries, postgresql
from own_code import own_package as own_package
from own_code import rewrite_own as rewrite_own

pytest.register_assert_rewrite("contracts")

# Before anything imports ray: quiet, and without a token file in the home of whoever runs the tests.
os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_AUTH_MODE="disabled", RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0")
os.environ[VARIABLE] = PASSWORD  # of the PostgreSQL server below: Ray's workers have the environment of the start

# No test asks for a machine of a certain speed.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

SHARED_DATA = Path(os.environ.get("DISTML_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real tables; tests that need it are skipped, and counted, where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real tables are not on this machine: set DISTML_DATA to their folder")
    return SHARED_DATA


@pytest.fixture(scope="session")
def ray_session() -> Iterator[None]:
    """One local Ray cluster of two CPUs for the whole test session."""
    import ray

    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server; tests that need it are skipped, and counted, where its Debian package isn't installed."""
    folder = binaries()
    if folder is None:
        pytest.skip("PostgreSQL is not on this machine: apt install postgresql")
    with postgresql(folder) as server:
        yield server
