"""One JSON array of objects as JSON lines, on the way: by the nesting of brackets, without parsing."""

from __future__ import annotations

import codecs
from typing import Any

import numpy as np

from distml.errors import DataError
from distml.reading.breaks import escaped

_STRUCTURE = np.isin(np.arange(256), list(b"{}[],\n\r"))
_OPENING, _CLOSING = np.isin(np.arange(256), list(b"{[")), np.isin(np.arange(256), list(b"}]"))
_QUOTE, _COMMA, _SPACE, _BREAK = 34, 44, 32, 10


def is_array(head: bytes) -> bool:
    r"""Whether a file's first sign is that of an array.

    >>> is_array(b"\n [{"), is_array(b"{}")
    (True, False)
    """
    return head.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"["


class LinesOfArray:
    """A byte stream of one item a line, from one of an array.

    Raises `DataError` where the array doesn't end. What follows it is left for the parser to refuse.
    """

    def __init__(self, stream: Any, path: str) -> None:
        self._stream = stream
        self._path = path
        self._depth = 0
        self._is_in_text = False
        self._held = b""  # backslashes whose next sign isn't read yet

    def read(self, num_bytes: int) -> bytes:
        chunk = self._stream.read(max(1, num_bytes - len(self._held)))
        if not chunk:
            if self._depth or self._held:
                raise DataError("a JSON array ends", received="the end of the file within it", where=self._path)
            return b""
        chunk = self._held + chunk
        whole = chunk.rstrip(b"\\")
        self._held = chunk[len(whole) :]
        return self._lines(whole) if whole else self.read(num_bytes)

    def _lines(self, chunk: bytes) -> bytes:
        array = np.frombuffer(chunk, np.uint8)
        quotes = np.flatnonzero(array == _QUOTE)
        if b"\\" in chunk:
            quotes = quotes[~escaped(array, quotes, b"\\")]
        places = np.flatnonzero(_STRUCTURE[array])
        is_outside = (np.searchsorted(quotes, places) + self._is_in_text) % 2 == 0
        places = places[is_outside]
        signs = array[places]
        steps = _OPENING[signs].astype(np.int32) - _CLOSING[signs]
        after = self._depth + np.cumsum(steps)
        before = after - steps
        lines = array.copy()
        lines[places[(signs == 10) | (signs == 13)]] = _SPACE
        lines[places[(signs == _COMMA) & (before == 1)]] = _BREAK
        lines[places[(np.minimum(before, after) == 0) & (steps != 0)]] = _SPACE  # the array's own brackets
        self._depth = int(after[-1]) if len(after) else self._depth
        self._is_in_text ^= bool(len(quotes) % 2)
        return lines.tobytes()
