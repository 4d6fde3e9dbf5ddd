"""What of a working directory is sent with a job: without environments, caches, `.git`, data and storage.

Ray sends a directory as one uncompressed zip through its dashboard, which takes 100 MiB. What it leaves out are
patterns as in a .gitignore; a .gitignore and a .rayignore of the user's own count as well.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from distml import sizes
from distml.config import RunConfig

LIMIT_BYTES = 100 * 1024**2  # ray: DASHBOARD_CLIENT_MAX_SIZE
_ALWAYS = (".git", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", "*.egg-info", "*.pyc")
_AT_ROOT = ("data", "distml-store")
_MARKS = ("pyvenv.cfg", "conda-meta")  # what an environment's folder holds
_MAX_DEPTH = 4  # folders below the root in which environments are looked for
_ZIP_BYTES, _ZIP_ENTRY_BYTES = 22, 76  # a zip's end; an entry's two headers, without its name that stands in both
_SPECIAL, _WILD = "\\#!", "*?[]"


@dataclass(frozen=True, kw_only=True)
class Size:
    """What would be sent. `largest`: (path, bytes) of its largest parts, at most two folders deep, largest first.

    `is_complete` is False where counting ended far past the limit: then there is more.
    """

    num_bytes: int
    num_files: int
    largest: tuple[tuple[str, int], ...]
    is_complete: bool = True

    @property
    def fits(self) -> bool:
        return self.num_bytes < LIMIT_BYTES

    def in_words(self) -> str:
        return f"{'' if self.is_complete else 'over '}{sizes.size(self.num_bytes)} in {self.num_files:,} files"

    def largest_in_words(self) -> str:
        return ", ".join(f"{path} {sizes.size(num_bytes)}" for path, num_bytes in self.largest)


def excludes(root: str | Path, own: Sequence[str] = ()) -> list[str]:
    """Patterns of what is not sent, as in a .gitignore at `root`.

    own: paths or globs of data and storage, as `paths_of` gives them; those outside of `root` are none of it.
    """
    home = Path(root).resolve()
    named = [pattern for path in own if (pattern := _pattern_below(home, path)) is not None]
    found = [_anchored(home, path) for path in _environments(home)]
    return list(dict.fromkeys([*_ALWAYS, *(f"/{name}" for name in _AT_ROOT), *named, *found]))


def paths_of(config: RunConfig) -> list[str]:
    """The paths of a config's storage and tables: they lie where every node reaches them, and aren't sent."""
    sources = [config.data.source, config.data.test, config.retrain.data.source]
    named = [uri for source in sources if source is not None for uri in (source.uri, source.labels) if uri is not None]
    paths = [uri.removeprefix("file://").removeprefix("sql:sqlite:///") for uri in (config.storage, *named)]
    return [path for path in paths if ":" not in path]


def size(root: str | Path, patterns: Sequence[str], num_largest: int = 5) -> Size:
    """The size of the zip that Ray would make of `root` without `patterns`.

    It is Ray's own walk, so that what counts here is what is sent.
    """
    from ray._private.ray_constants import get_runtime_env_default_excludes
    from ray._private.runtime_env import packaging

    home = Path(root).resolve()
    told = _Count(home)
    left_out = [packaging._get_excludes(home, [*get_runtime_env_default_excludes(), *patterns])]
    quiet = _Quiet()
    is_complete = True
    try:
        packaging._dir_travel(home, left_out, told.add, include_gitignore=_reads_gitignore(), logger=quiet)
    except _EnoughSeen:
        is_complete = False
    return Size(
        num_bytes=told.num_bytes,
        num_files=told.num_files,
        largest=tuple(told.parts.most_common(num_largest)),
        is_complete=is_complete,
    )


class _EnoughSeen(Exception):
    """Ends a walk: somebody stands in a folder that nobody would send, such as a home."""


class _Count:
    def __init__(self, home: Path) -> None:
        self.home, self.num_bytes, self.num_files, self.parts = home, _ZIP_BYTES, 0, Counter[str]()

    def add(self, path: Path) -> None:
        if path.is_dir():
            if next(path.iterdir(), None) is None:
                self._entry(path.relative_to(self.home), 0, separator=1)
        elif path.is_file():
            self._entry(path.relative_to(self.home), path.stat().st_size)

    def _entry(self, name: Path, num_bytes: int, separator: int = 0) -> None:
        whole = num_bytes + _ZIP_ENTRY_BYTES + 2 * (len(os.fsencode(name)) + separator)
        self.num_bytes += whole
        self.num_files += 1
        self.parts["/".join(name.parts[:2])] += whole
        if self.num_bytes > 20 * LIMIT_BYTES:
            raise _EnoughSeen


class _Quiet:
    """A logger that drops what Ray says of every ignore file and, of the walk's end, as an error."""

    def info(self, message: str) -> None: ...

    def error(self, message: str) -> None: ...


def _reads_gitignore() -> bool:
    return os.environ.get("RAY_RUNTIME_ENV_IGNORE_GITIGNORE", "0") != "1"


def _environments(home: Path) -> Iterator[Path]:
    """Folders of Python environments, symbolic links to them too."""
    for folder, names, _ in os.walk(home):
        here = Path(folder)
        held = [name for name in names if any((here / name / mark).exists() for mark in _MARKS)]
        yield from (here / name for name in sorted(held))
        is_deep = len(here.relative_to(home).parts) >= _MAX_DEPTH
        pruned = {*held, *_ALWAYS, *(_AT_ROOT if here == home else ())}
        names[:] = [] if is_deep else [name for name in names if name not in pruned]


def _pattern_below(home: Path, path: str) -> str | None:
    absolute = Path(os.path.abspath(home / path))
    if absolute == home or not absolute.is_relative_to(home):
        return None
    return _anchored(home, absolute, is_glob=not absolute.exists())


def _anchored(home: Path, path: Path, is_glob: bool = False) -> str:
    """The pattern of one path below home, or with `is_glob` of those that it stands for."""
    special = _SPECIAL if is_glob else _SPECIAL + _WILD
    text = "".join(f"\\{c}" if c in special else c for c in path.relative_to(home).as_posix())
    return "/" + text.replace(" ", "[ ]")  # a last space is stripped, escaped or not
