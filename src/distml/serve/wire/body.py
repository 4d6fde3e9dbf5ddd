"""A body as it came to what it says: unpacked within bounds, and JSON of it read strictly."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from distml.serve.wire.limits import Limits
from distml.serve.wire.problem import Problem

_GZIP = 31  # zlib's window, with gzip's header and trailer
# Lists and objects in one document. No other request is answered while orjson makes them, 0.1 s for so many; an image
# of 224 lines has 224, or 50,000 with a list for each pixel.
MAX_NESTED = 250_000


def plain(body: bytes, headers: Mapping[str, str], limits: Limits) -> bytes:
    """The body, unpacked where `Content-Encoding` says gzip. Raises `Problem` 400, 413 or 415."""
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        if len(body) > limits.max_body_bytes:
            raise too_large(limits)
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise Problem(
            415, "unsupported-encoding", f"a body is packed by gzip or not at all, received {encoding[:60]!r}"
        )
    return _unpacked(body, limits)


def too_large(limits: Limits) -> Problem:
    megabytes = limits.max_body_bytes / (1 << 20)
    return Problem(413, "body-too-large", f"a body has at most {megabytes:g} MiB")


def _unpacked(body: bytes, limits: Limits) -> bytes:
    """What gzip packed, one member or several; no more of it is unpacked than a body may have."""
    parts: list[bytes] = []
    room, rest = limits.max_body_bytes, body
    while rest or not parts:
        unpacker = zlib.decompressobj(_GZIP)
        try:
            parts.append(unpacker.decompress(rest, room + 1))
        except zlib.error as error:
            raise Problem(400, "invalid-gzip", f"the body is not gzip: {error}") from None
        room -= len(parts[-1])
        if room < 0:
            raise too_large(limits)
        if not unpacker.eof:
            raise Problem(400, "invalid-gzip", "the body is not gzip: it ends too early")
        rest = unpacker.unused_data
    return b"".join(parts)


def json_of(body: bytes) -> Any:
    """The document of a JSON body.

    Raises `Problem` 400, as NaN, infinities and what isn't UTF-8 are not JSON, and 413 for more lists and objects than
    may be made at once; brackets in texts count as such.
    """
    if len(body) > MAX_NESTED and _count(body, b"{[") > MAX_NESTED:
        raise Problem(413, "too-many-values", f"a body has at most {MAX_NESTED:,} lists and objects")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        told = "it is empty" if not body else str(error)
        raise Problem(400, "invalid-json", f"the body is not JSON: {told}") from None


def check_nesting(body: bytes, document: Any, num_flat: int, limits: Limits) -> None:
    """Refuses a document that nests deeper than allowed: `Problem` 400.

    num_flat: how many of its lists and objects lie beside each other, such as rows. Counting brackets is enough for
    a document that has few others, which is what requests are; any other is walked.
    """
    if _count(body, b"{[") - num_flat < limits.max_depth:
        return
    level: list[Any] = [document]
    for _ in range(limits.max_depth):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return
    raise Problem(400, "too-deep", f"lists and objects nest at most {limits.max_depth} deep")


def check_repeated(body: bytes, document: Any, num_keys: int) -> None:
    """Refuses an object that has a key twice, of which JSON's readers keep the last: `Problem` 422 naming it.

    num_keys: how many the document was read to have, at least. As many colons as keys, or as in the document written
    again, where texts have some, are proof that no key is repeated, and cost next to nothing; else the body is read
    once more. (A text that writes a colon as an escape may hide a repeated key.)
    """
    num_colons = _count(body, b":")
    if num_colons > num_keys and num_colons > _count(orjson.dumps(document), b":"):
        json.loads(body, object_pairs_hook=_without_repeats, parse_int=str, parse_float=str)


def _count(body: bytes, signs: bytes) -> int:
    """How often some signs are in a body; in a long one by numpy, as many hits are slow for `bytes.count`."""
    if len(body) < 4096:
        return sum(map(body.count, signs))
    places = np.frombuffer(body, np.uint8)
    return sum(int(np.count_nonzero(places == sign)) for sign in signs)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise repeated_column(next(name for name in names if names.count(name) > 1))
    return found


def repeated_column(name: str) -> Problem:
    shown = name if len(name) <= 60 else name[:57] + "..."
    return Problem(
        422, "repeated-column", f"a request has each column once, received {shown!r} more than once", column=shown
    )
