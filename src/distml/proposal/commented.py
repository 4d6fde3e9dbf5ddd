"""Nested mappings as YAML that people read: short values on one line, comments behind or above what they are about."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 110
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./+-]*")
_WORDS = frozenset(("y", "n", "yes", "no", "true", "false", "on", "off", "null", "none"))
Comments = Mapping[tuple[str, ...], str]


def render(value: Mapping[str, Any], comments: Comments, path: tuple[str, ...] = ()) -> list[str]:
    """Lines of YAML for nested mappings; `comments` by path, where the last part may be an item of a list.

    >>> print("\\n".join(render({"a": {"b": ["x", "no"]}, "c": 1}, {("a", "b", "no"): "why", ("c",): "because"})))
    a:
      b:
        - x
        - "no"  # why
    c: 1  # because
    """
    lines: list[str] = []
    indent = "  " * len(path)
    for key, item in value.items():
        here = (*path, str(key))
        head, note = f"{indent}{scalar(key)}:", comments.get(here)
        has_notes = any(other[: len(here)] == here and other != here for other in comments)
        if isinstance(item, Mapping) and (has_notes or len(path) < 2):
            lines += [*_noted(head, note, indent), *render(item, comments, here)]
        elif isinstance(item, list) and has_notes:
            lines += _noted(head, note, indent)
            for part in item:
                lines += _noted(f"{indent}  - {scalar(part)}", comments.get((*here, str(part))), f"{indent}  ")
        else:
            lines += _noted(f"{head} {flow(item)}", note, indent)
    return lines


def _noted(line: str, note: str | None, indent: str) -> list[str]:
    """A line with its comment behind it, or above where it is long; a long line of values is broken."""
    if not note:
        return _broken(line, indent)
    if len(line) + len(note) + 4 <= WIDTH:
        return [f"{line}  # {note}"]
    return [*comment(note, f"{indent}# ", f"{indent}# "), *_broken(line, indent)]


def _broken(line: str, indent: str) -> list[str]:
    if len(line) <= WIDTH or not line.endswith(("]", "}")):
        return [line]
    # Only between values: a break within quotes would be part of the text.
    parts = re.findall(r'(?:[^,"]|"(?:\\.|[^"\\])*")+,?', line)
    lines, current = [], ""
    for part in parts:
        if current and len(current) + len(part) > WIDTH:
            lines.append(current.rstrip())
            current = f"{indent}    {part.lstrip()}"
        else:
            current += part
    return [*lines, current]


def comment(text: str, first: str = "# ", rest: str = "# ") -> list[str]:
    """Lines of a comment, after what its first line and the others begin with."""
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def flow(value: Any) -> str:
    """A value on one line.

    >>> flow({"?": None, "x": [1, "a b", True]})
    '{"?": null, x: [1, "a b", true]}'
    """
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{scalar(key)}: {flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(flow, value))}]"
    return scalar(value)


def scalar(value: Any) -> str:
    """A scalar, in quotes where YAML would take a text for something else.

    >>> scalar("age"), scalar("yes"), scalar("1e5"), scalar(None), scalar(True), scalar(">50K")
    ('age', '"yes"', '"1e5"', 'null', 'true', '">50K"')
    """
    if not isinstance(value, str):
        text = json.dumps(value)
        return text if "." in text else text.replace("e-", ".0e-").replace("e+", ".0e+")  # 1e-05 is a text in YAML 1.1
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    quoted = json.dumps(value, ensure_ascii=False)  # whose escapes are YAML's too, but those of rare characters
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in quoted)
