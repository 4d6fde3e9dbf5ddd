"""The local cluster, where it can't be started."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_PROGRAM = """
import ray
from distml.cluster.on_ray import cluster
from distml.errors import UsageError

try:
    with cluster():
        print("started")
except UsageError as error:
    print("refused:", error.received)
"""


@pytest.mark.parametrize(("mode", "told"), [(None, "refused: Ray imported already"), ("token", "started")])
@pytest.mark.ray
@pytest.mark.timeout(120)
def test_ray_that_was_imported_before_is_refused_unless_it_was_told_of_tokens(mode, told):
    others = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    env = others if mode is None else {**others, "RAY_AUTH_MODE": mode}
    ended = subprocess.run([sys.executable, "-c", _PROGRAM], env=env, capture_output=True, text=True, check=True)
    assert told in ended.stdout
