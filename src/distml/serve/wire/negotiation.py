"""Which media type a body has, and which one its answer may have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from distml.serve.wire.problem import Problem

_MAX_LENGTH = 2048  # of a header; browsers send some 150 characters
_UTF8 = ("utf-8", "utf8", "us-ascii")


def media_type(headers: Mapping[str, str], taken: Iterable[str]) -> str:
    """The one of the media types taken that `Content-Type` names, the first where it names none.

    Raises `Problem` 415 for another one, and for texts in another charset than UTF-8.
    """
    types = tuple(taken)
    given = headers.get("content-type")
    if given is None or given in types:
        return types[0] if given is None else given
    name, parameters = _parsed(given)
    if name not in types:
        raise Problem(415, "unsupported-media-type", f"this takes {' or '.join(types)}, received {_shown(given)}")
    charset = parameters.get("charset", "utf-8").lower()
    if charset not in _UTF8:
        raise Problem(415, "unsupported-charset", f"texts are in UTF-8, received charset {_shown(charset)}")
    return name


def accepted(headers: Mapping[str, str], given: Iterable[str]) -> str:
    """The one of the media types given that `Accept` likes best, the first where it likes them alike.

    Raises `Problem` 406 where it wants none of them.
    """
    types = tuple(given)
    wanted = headers.get("accept")
    if wanted is None or wanted == "*/*" or wanted == types[0]:
        return types[0]
    ranges = [_parsed(part) for part in wanted[:_MAX_LENGTH].split(",")]
    qualities = {name: _quality(name, ranges) for name in types}
    best = max(types, key=lambda name: qualities[name])
    if qualities[best] == 0:
        raise Problem(406, "not-acceptable", f"this gives {' or '.join(types)}, the request accepts {_shown(wanted)}")
    return best


def _quality(name: str, ranges: list[tuple[str, dict[str, str]]]) -> float:
    """How much the most exact of the ranges that a type is in likes it, 0 to 1."""
    for spelling in (name, f"{name.partition('/')[0]}/*", "*/*"):
        for text, parameters in ranges:
            if text == spelling:
                try:
                    return min(1.0, max(0.0, float(parameters.get("q", "1"))))
                except ValueError:
                    return 1.0
    return 0.0


def _parsed(value: str) -> tuple[str, dict[str, str]]:
    """
    >>> _parsed('Text/CSV; charset="UTF-8"')
    ('text/csv', {'charset': 'UTF-8'})
    """
    name, *parts = value[:_MAX_LENGTH].split(";")
    pairs = (part.partition("=") for part in parts)
    return name.strip().lower(), {key.strip().lower(): text.strip().strip('"') for key, _, text in pairs}


def _shown(value: str) -> str:
    return repr(value if len(value) <= 100 else value[:97] + "...")
