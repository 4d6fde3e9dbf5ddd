"""Patterns that name some files of a folder and not others."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence


def patterns_of(paths: Sequence[str]) -> list[str]:
    """Patterns that every path matches, the narrowest first.

    >>> patterns_of(["/d/a-01.csv", "/d/a-12.csv"])
    ['/d/a-??.csv', '/d/a-*.csv', '/d/**/*.csv']
    >>> patterns_of(["/d/a.csv"])
    ['/d/a.csv']
    """
    if len(paths) == 1:
        return [glob.escape(paths[0])]
    folder = os.path.commonpath([os.path.dirname(path) for path in paths])
    names = [os.path.basename(path) for path in paths]
    found = []
    if {os.path.dirname(path) for path in paths} == {folder}:
        if len({len(name) for name in names}) == 1:
            found.append("".join(glob.escape(c[0]) if len(set(c)) == 1 else "?" for c in zip(*names, strict=True)))
        start = _common_start(names)
        end = _common_start([name[len(start) :][::-1] for name in names])[::-1]
        found.append(f"{glob.escape(start)}*{glob.escape(end)}")
    ending = _common_start([name[::-1] for name in names])[::-1]
    if "." in ending:
        found.append(f"**/*{glob.escape(ending[ending.index('.') :])}")
    return [os.path.join(glob.escape(folder), pattern) for pattern in found]


def _common_start(texts: Sequence[str]) -> str:
    """The longest text that all begin with."""
    first, last = min(texts), max(texts)
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:length]
