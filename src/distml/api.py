"""The lifecycle from Python, on the same objects as the commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from distml import code
from distml.config import RunConfig, load_config

if TYPE_CHECKING:
    from distml.lifecycle.result import RunResult
    from distml.lifecycle.run import Stage
    from distml.predictor import Predictor


def run(
    config: RunConfig | str | Path, *, until: Stage = "gate", engine: Literal["ray", "local"] = "ray",
    allow_code: Sequence[str] = (),
) -> RunResult:  # fmt: skip
    """One pass of the lifecycle up to a stage; its result carries what each stage made.

    engine `ray`: on the cluster that this process is connected to or RAY_ADDRESS names, or on a local one for as long
    as it takes; `local`: in this process, one trial after another. allow_code: packages of
    yours that the config names functions of; they stay allowed for as long as this process lasts.
    """
    from distml.data import LocalEngine
    from distml.lifecycle.run import Resources, cluster_resources
    from distml.lifecycle.run import run as run_stages

    code.allow(allow_code)
    chosen = config if isinstance(config, RunConfig) else load_config(config)
    if engine == "local":
        return run_stages(chosen, Resources(engine=LocalEngine()), until=until)
    if _is_connected():
        return run_stages(chosen, cluster_resources(chosen), until=until)
    from distml.cluster.on_ray import cluster

    with cluster() as state:
        return run_stages(chosen, cluster_resources(chosen, scratch=state), until=until)


def load(reference: str, storage: str | None = None, *, allow_code: Sequence[str] = ()) -> Predictor:
    """The predictor of `NAME`, `NAME@ALIAS` or `NAME/VERSION`; storage: DISTML_STORAGE or ./distml-store if None.

    allow_code: packages of yours whose functions the version was fitted with. Raises `NotFoundError` for a version
    that isn't registered, `PackageError` for one that is damaged, `CodeError` for functions that it can't import.
    """
    from distml.predictor import Predictor
    from distml.registry import StoreRegistry, resolve
    from distml.storage import Storage

    code.allow(allow_code)
    home = Storage(storage or os.environ.get("DISTML_STORAGE", "./distml-store"))
    version = resolve(StoreRegistry(home), reference)
    with home.local_folder(version.package) as folder:
        return Predictor.load(folder)


def _is_connected() -> bool:
    ray = sys.modules.get("ray")
    return ray is not None and ray.is_initialized()
