"""Where a table is prepared: in this process where it is small, else over the cluster."""

from __future__ import annotations

from dataclasses import dataclass

from distml.config import RunConfig
from distml.data import Engine, LocalEngine
from distml.reading.source import list_fragments
from distml.sizes import size

LARGE_BYTES = 256 << 20
"""As stored. A pass over Ray costs seconds before its first row, which is what this many bytes take on two cores."""


@dataclass(frozen=True, kw_only=True)
class Where:
    """`local`, in this process, or `ray`, and why."""

    engine: str
    reason: str

    def __str__(self) -> str:
        """
        >>> str(Where(engine="local", reason="2 MB"))
        'in this process (2 MB)'
        """
        return f"{'in this process' if self.engine == 'local' else 'over Ray Data'} ({self.reason})"


def where_to_prepare(config: RunConfig) -> Where:
    """As `data.engine` says; `auto`: over Ray what is large, is read from a database in parts, or wants a GPU."""
    data = config.data
    if data.engine != "auto":
        return Where(engine=data.engine, reason=f"data.engine: {data.engine}")
    if data.resources.gpu:
        return Where(engine="ray", reason="data.resources asks for a GPU")
    sources = [source for source in (data.source, data.test) if source is not None]
    for source in sources:
        if source.uri.startswith("sql:") and source.partition is not None:
            return Where(engine="ray", reason="a query in parts")
    files = [source for source in sources if not source.uri.startswith("sql:")]
    num_bytes = sum(fragment.size for source in files for fragment in list_fragments(source, ranges=False))
    return Where(engine="ray" if num_bytes >= LARGE_BYTES else "local", reason=size(num_bytes))


def engine_for(config: RunConfig, engine: Engine) -> Engine:
    """The engine that prepares a config's tables, given the one that a run has at hand."""
    if engine.name == "local" or where_to_prepare(config).engine == "ray":
        return engine
    return LocalEngine()
