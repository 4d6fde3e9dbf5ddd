"""Pieces of a text table's file: all of a small one, places all over a large one, each of whole lines.

A file that is compressed, or whose values hold line breaks, can't be entered in the middle: its beginning stands for
it.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass
from typing import Any

from distml.reading.survey import File
from distml.reading.whitespace import RUNS

NUM_PIECES = 16


@dataclass(frozen=True)
class Piece:
    """Whole lines of rows, without the header, and which part of the file they are from, 0 to 1."""

    content: bytes
    start: float
    end: float


def read_pieces(filesystem: Any, file: File, budget: int) -> tuple[list[Piece], bool]:
    """Pieces of a text file, of at most about `budget` bytes together, and whether they are all of it."""
    with filesystem.open_input_stream(file.path, compression="detect") as stream:
        head = stream.read(budget)
        is_whole = not stream.read(1)
    if is_wide(file):
        head = head.decode("utf-16", "ignore").encode()
    lines = _without_header(head if is_whole else head[: head.rfind(b"\n") + 1], file)
    if is_whole or is_wide(file) or _is_compressed(filesystem, file) or _has_breaks(lines, file):
        return [Piece(lines, 0.0, 1.0)], is_whole
    size = budget // NUM_PIECES
    pieces = [Piece(lines[: lines.rfind(b"\n", 0, size) + 1], 0.0, size / file.size)]
    with filesystem.open_input_file(file.path) as stream:
        for k in range(1, NUM_PIECES):
            start = k * (file.size - size) // (NUM_PIECES - 1)
            stream.seek(start)
            content = stream.read(size)
            end = len(content) if k == NUM_PIECES - 1 else content.rfind(b"\n") + 1
            whole_lines = content[content.find(b"\n") + 1 : end]
            pieces.append(Piece(whole_lines, start / file.size, (start + size) / file.size))
    return pieces, False


def is_wide(file: File) -> bool:
    """Whether a file has two bytes a character: its pieces are given in utf-8."""
    return file.dialect is not None and file.dialect.encoding == "utf-16"


def _is_compressed(filesystem: Any, file: File) -> bool:
    with filesystem.open_input_file(file.path) as raw, filesystem.open_input_stream(
        file.path, compression="detect"
    ) as stream:  # fmt: skip
        return bool(raw.read(64) != stream.read(64))


def _has_breaks(lines: bytes, file: File) -> bool:
    """Whether a value in quotes holds a line break."""
    assert file.dialect is not None
    text = lines[: 1 << 20].decode(file.dialect.encoding, "ignore")
    broken = list(io.StringIO(text))
    records = csv.reader(broken, delimiter=" " if file.dialect.delimiter == RUNS else file.dialect.delimiter)
    return sum(1 for _ in records) < len(broken)


def _without_header(content: bytes, file: File) -> bytes:
    assert file.dialect is not None
    if not file.dialect.header:
        return content
    mark = (file.dialect.comment or "").encode(file.dialect.encoding)
    for line in re.finditer(rb"[^\n]*\n?", content):
        text = line.group().removeprefix(codecs.BOM_UTF8)
        if text.strip() and not (mark and text.startswith(mark)):
            return content[line.end() :]
    return b""
