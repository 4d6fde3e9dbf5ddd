"""The lifecycle from Python, on the same objects as the commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from distml import code
from distml.config import RunConfig, load_config, parse_config
from distml.errors import UsageError

if TYPE_CHECKING:
    from distml.lifecycle.result import RunResult
    from distml.lifecycle.run import Resources
    from distml.lifecycle.stages import Stage
    from distml.predictor import Predictor


def run(
    config: RunConfig | Mapping[str, Any] | str | Path, *, data: Any = None, test: Any = None, until: Stage = "gate",
    engine: Literal["ray", "local"] = "ray", allow_code: Sequence[str] = (),
) -> RunResult:  # fmt: skip
    """One pass of the lifecycle up to a stage; its result carries what each stage made.

    config: a file's path, or what one says. data, test: the table, and a test table if it has one of its own, in place
    of data.source and data.test: a pandas DataFrame, a pyarrow Table or a Ray Dataset, kept under storage.
    engine `ray`: on the cluster that this process is connected to or RAY_ADDRESS names, or on a local one for as long
    as it takes; `local`: in this process, one trial after another. allow_code: packages of
    yours that the config names functions of; they stay allowed for as long as this process lasts.
    """
    from distml.data import LocalEngine
    from distml.lifecycle.run import Resources, cluster_resources
    from distml.lifecycle.run import run as run_stages

    code.allow(allow_code)
    chosen = _config(config, is_handed=data is not None)

    def carry_out(resources: Resources) -> RunResult:
        return run_stages(_with_tables(chosen, data, test), resources, until=until)

    if engine == "local":
        return carry_out(Resources(engine=LocalEngine()))
    if _is_connected():
        return carry_out(cluster_resources(chosen))
    from distml.cluster.on_ray import cluster

    with cluster() as state:
        return carry_out(cluster_resources(chosen, scratch=state))


def _config(config: RunConfig | Mapping[str, Any] | str | Path, *, is_handed: bool) -> RunConfig:
    """The config, in which a table that is handed in need not be named."""
    if isinstance(config, RunConfig):
        return config
    if isinstance(config, Mapping):
        from distml.storage import dump_json

        return parse_config(dump_json(dict(config)).decode(), is_handed=is_handed)
    return load_config(config, is_handed=is_handed)


def _with_tables(config: RunConfig, data: Any, test: Any) -> RunConfig:
    if data is None:
        if test is not None:
            raise UsageError("a test table is handed in with the table itself", received="test without data",
                             remedy="give both, or name the test table in data.test")  # fmt: skip
        return config
    from distml.reading.handed import with_tables

    return with_tables(config, data, test)


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
