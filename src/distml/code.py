"""Code of a user's own: imported only where that is allowed, and known by what its source is.

A config or a package may name a function as `module:attribute`. Importing it runs whatever its module says, so that
this happens only for packages that the command line (`--allow-code my_pkg`) or `DISTML_ALLOW_CODE` names. What was
fitted with such a function remembers its `CodeRef`; with another source it would mean something else, and is refused.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.metadata
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from distml.errors import CodeError, PackageError, did_you_mean

VARIABLE = "DISTML_ALLOW_CODE"
_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


@dataclass(frozen=True, kw_only=True)
class CodeRef:
    """A module's attribute and what it was: the distribution that brought it, and a hash of its source.

    source_hash: of the module's file and of every file of the same top-level package that it imports, directly or not.
    """

    module: str
    attribute: str
    distribution: str | None = None
    version: str | None = None
    source_hash: str

    @property
    def dotted(self) -> str:
        return f"{self.module}:{self.attribute}"

    def to_dict(self) -> dict[str, str | None]:
        return asdict(self)


def allowed() -> tuple[str, ...]:
    """The packages and modules whose code may be imported by this process."""
    return _names(os.environ.get(VARIABLE, ""))


def allow(names: Iterable[str]) -> None:
    """Allows packages or modules more, to this process and those that it starts."""
    together = _names(",".join((*allowed(), *names)))
    if together:
        os.environ[VARIABLE] = ",".join(together)


def _names(text: str) -> tuple[str, ...]:
    """The names of a text with commas or spaces between them, each once."""
    return tuple(dict.fromkeys(re.findall(r"[^,\s]+", text)))


def is_allowed(module: str, names: Iterable[str]) -> bool:
    """Whether a module is one of some packages or modules, or lies in one.

    >>> is_allowed("shop.features", ["shop"]), is_allowed("shop", ["shop.features"]), is_allowed("shopping", ["shop"])
    (True, False, False)
    """
    return any(module == name or module.startswith(f"{name}.") for name in names)


def carried(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function for another process, where it may import what this process may."""
    names = allowed()
    return partial(_allowing, names, function) if names else function


def _allowing(names: tuple[str, ...], function: Callable[..., Any], *arguments: Any) -> Any:
    allow(names)
    return function(*arguments)


def load(dotted: str, where: str | None = None) -> tuple[Any, CodeRef]:
    """What `module:attribute` names, imported, and what it is known by. where: the place that names it.

    Raises `CodeError` for code that isn't allowed, can't be imported, or isn't there.
    """
    require_allowed(dotted, where)
    module_name, _, attribute = dotted.partition(":")
    module = _imported(module_name, dotted, where)
    if not hasattr(module, attribute):
        near = did_you_mean(attribute, [name for name in vars(module) if not name.startswith("_")])
        raise CodeError(
            f"{module_name} has what is named of it", received=attribute, where=where,
            remedy=f"did you mean {near!r}?" if near else f"define it in {_file_of(module)}",
        )  # fmt: skip
    distribution, version = _distribution(module_name.partition(".")[0])
    ref = CodeRef(
        module=module_name, attribute=attribute, distribution=distribution, version=version,
        source_hash=source_hash(module_name),
    )  # fmt: skip
    return getattr(module, attribute), ref


def reload(ref: CodeRef, where: str | None = None) -> Any:
    """What a reference names, imported, if its source is what it was.

    Raises `CodeError` as `load` does, and `PackageError` where the source differs.
    """
    found, now = load(ref.dotted, where)
    if now.source_hash != ref.source_hash:
        was, here = (f" ({r.distribution} {r.version})" if r.distribution else "" for r in (ref, now))
        raise PackageError(
            "code that a model was fitted with is what it was then",
            received=f"{ref.dotted} with source {now.source_hash[:12]}{here}, fitted with {ref.source_hash[:12]}{was}",
            where=where,
            remedy=f"install the {ref.module.partition('.')[0]} that it was fitted with, or fit the model again",
        )
    return found


def require_allowed(dotted: str, where: str | None = None) -> None:
    """Raises `CodeError`, naming what to type, for `module:attribute` of a package that isn't allowed."""
    if not _DOTTED.fullmatch(dotted):
        raise CodeError("code is named module:attribute", received=dotted, where=where, remedy="my_pkg.features:score")
    module = dotted.partition(":")[0]
    if not is_allowed(module, allowed()):
        package = module.partition(".")[0]
        raise CodeError(
            "code of a user's own is imported only where that is allowed", received=dotted, where=where,
            remedy=f"if you trust it, add --allow-code {package}, or set {VARIABLE}={package}",
        )  # fmt: skip


def told(error: BaseException, module: str) -> str:
    """An error of a user's code in one line: what it says, and the last line of theirs that it went through."""
    name, text, place = type(error).__name__, " ".join(str(error).split()), place_in(error, module)
    at = f" at {place}" if place else ""
    return f"{name}: {text[:300]}{at}" if text else f"{name}{at}"


def place_in(error: BaseException, module: str) -> str | None:
    """The last line of a module's top-level package that an error went through; None where it is none of theirs."""
    top = sys.modules.get(module.partition(".")[0])
    homes = [*getattr(top, "__path__", ()), str(getattr(top, "__file__", None) or module)]
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if any(Path(frame.filename).is_relative_to(home) for home in homes)
    ]
    return f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else None


def _imported(module: str, dotted: str, where: str | None) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not (module == error.name or module.startswith(f"{error.name}.")):
            raise _broken(error, module, dotted, where) from error
        raise CodeError(
            f"{dotted} can be imported", received=f"no module {error.name}", where=where,
            remedy="install it, put its folder on PYTHONPATH, or work in the folder that it lies in",
        ) from error  # fmt: skip
    except Exception as error:
        raise _broken(error, module, dotted, where) from error


def _broken(error: Exception, module: str, dotted: str, where: str | None) -> CodeError:
    return CodeError(f"{dotted} can be imported", received=told(error, module), where=where, remedy="correct it there")


def _file_of(module: Any) -> str:
    return str(getattr(module, "__file__", None) or module.__name__)


@cache
def _distribution(top: str) -> tuple[str | None, str | None]:
    """The name and version of what is installed that brings a top-level package; None for files in a folder."""
    found = importlib.metadata.packages_distributions().get(top)
    return (found[0], importlib.metadata.version(found[0])) if found else (None, None)


@cache
def source_hash(module: str) -> str:
    """The hash of a module's source and of what it imports from the same top-level package.

    Read once a process, as the module itself is.
    """
    top = module.partition(".")[0]
    sources: dict[str, bytes] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in sources or name.partition(".")[0] != top:
            continue
        path = _source_path(name)
        if path is None:
            continue  # an attribute of a module, or nothing written in Python
        sources[name] = path.read_bytes().replace(b"\r\n", b"\n")
        waiting += _imports(sources[name], name, path.name == "__init__.py")
        waiting += [name.rpartition(".")[0]] if "." in name else []
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update(f"{name}\0{len(sources[name])}\0".encode() + sources[name])
    return digest.hexdigest()


def _source_path(module: str) -> Path | None:
    """Where a module's source lies, found without importing anything."""
    top, *parts = module.split(".")
    spec = find_spec(top)
    if spec is None:
        return None
    if spec.submodule_search_locations is None:
        return Path(spec.origin) if spec.origin and not parts and Path(spec.origin).is_file() else None
    for home in spec.submodule_search_locations:
        base = Path(home, *parts)
        for path in (base / "__init__.py", base.with_suffix(".py") if parts else base / "__init__.py"):
            if path.is_file():
                return path
    return None


def _imports(source: bytes, module: str, is_package: bool) -> Iterator[str]:
    """Names that a module's source imports, submodules and attributes alike, relative ones made absolute."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return  # an extension module
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")
            parents = parts[: len(parts) - node.level + is_package] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{name.name}" for name in node.names)
