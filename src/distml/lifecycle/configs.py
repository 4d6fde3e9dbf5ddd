"""The run config that a registered version was made with."""

from __future__ import annotations

from distml.config import RunConfig
from distml.config.kept import read_kept
from distml.lifecycle.runs import read_run
from distml.registry import Version
from distml.storage import Storage


def config_of(storage: Storage, version: Version) -> RunConfig:
    """The run config that a version was made with, its storage being where it was found."""
    return read_kept(read_run(storage, version.run)["config"], storage.root, version.run)
