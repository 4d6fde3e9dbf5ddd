"""Lines with bytes that a text's encoding doesn't have, and null bytes: found, and done with as the source says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from distml.config.source import SourceConfig
from distml.errors import DataError
from distml.reading.files import Fragment
from distml.reading.lines import Block, is_utf8, open_text
from distml.reading.log import Line, ReadLog
from distml.reading.sniff import encoding_of

NULL_BYTE = "a text holds no null bytes"
_REPLACEMENT = "\ufffd".encode()
_HEAD_BYTES = 16 << 20


def mended(block: Block, fragment: Fragment, source: SourceConfig, log: ReadLog) -> Block:
    """The block in valid utf-8 without null bytes; lines that had to be dropped or changed are noted.

    Raises `DataError` with the line, and the encoding that fits, where the source says `fail`.
    """
    data = block.data
    if b"\0" in data:
        block = _enforce(block, _records_at(block, _places_of(data, b"\0")), NULL_BYTE, fragment, source, log)
    if is_utf8(source.encoding):
        bad = [] if data.isascii() else _invalid_records(block)
    else:
        bad = _records_at(block, _places_of(block.data, _REPLACEMENT))
    return _enforce(block, bad, encoding_rule(source), fragment, source, log)


def encoding_rule(source: SourceConfig) -> str:
    """What a finding or an error of lines that can't be decoded says is broken."""
    return f"a text table is written in {source.encoding}"


def _enforce(
    block: Block, bad: Sequence[int], rule: str, fragment: Fragment, source: SourceConfig, log: ReadLog
) -> Block:
    if not len(bad):
        return block
    if source.undecodable == "fail":
        line, text = block.examples(bad)[0]
        raise DataError(
            rule,
            received=f"{_named_bytes(block.content(bad[0]), source)} in {log.shown(text)!r}",
            where=f"{fragment.path}, line {line}",
            remedy=_remedy(rule, fragment, source),
        )
    log.note(rule, source.undecodable, fragment.path, len(bad), block.examples(bad))
    if source.undecodable == "replace":
        content = {i: block.data[block.records.starts[i] : block.records.ends[i]] for i in bad}
        return block.replaced({i: _replaced(line) for i, line in content.items()})
    if source.undecodable == "quarantine":
        texts = ((int(block.lines[i]), block.content(i).decode("utf-8", "replace")) for i in bad)
        log.aside += [Line(fragment.path, line, text, rule) for line, text in texts]
    kept = np.ones(len(block.lines), bool)
    kept[list(bad)] = False
    return block.take(kept)


def _replaced(line: bytes) -> bytes:
    return line.decode("utf-8", "replace").replace("\0", "\ufffd").encode()


def _named_bytes(line: bytes, source: SourceConfig) -> str:
    if b"\0" in line:
        return "byte 00"
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"byte {line[error.start]:02x}"
    return "bytes that it doesn't have"


def _remedy(rule: str, fragment: Fragment, source: SourceConfig) -> str:
    leave = "set data.source.undecodable: replace, drop or quarantine"
    if rule == NULL_BYTE:
        return f"{leave}; a text whose every other byte is null is in utf-16"
    return f"set data.source.encoding: {_fitting_encoding(fragment, source)}, in which it can be read; or {leave}"


def _fitting_encoding(fragment: Fragment, source: SourceConfig) -> str:
    with open_text(fragment, source, raw=True) as stream:
        found = encoding_of(stream.read(_HEAD_BYTES), is_whole=False)
    # What is wrong may come later than the piece looked at.
    return found if found != source.encoding else "latin-1"


def _places_of(data: bytes, sought: bytes) -> np.ndarray:
    places = []
    place = data.find(sought)
    while place >= 0:
        places.append(place)
        place = data.find(sought, place + 1)
    return np.array(places, np.int64)


def _records_at(block: Block, places: np.ndarray) -> list[int]:
    return [int(i) for i in np.unique(np.searchsorted(block.records.ends, places, "right"))]


def _invalid_records(block: Block) -> list[int]:
    """The records that are no utf-8, in order."""
    view, ends = memoryview(block.data), block.records.ends
    bad: list[int] = []
    done = 0
    while done < len(view):
        try:
            str(view[done:], "utf-8")
            break
        except UnicodeDecodeError as error:
            bad.append(int(np.searchsorted(ends, done + error.start, "right")))
            done = int(ends[bad[-1]])
    return bad
