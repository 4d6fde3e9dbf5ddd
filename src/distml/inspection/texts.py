"""What is odd in a column of texts: tokens for missing values, one category written in several ways, numbers with
something among them, letters read by the wrong encoding, categories of hardly any row."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

import numpy as np

from distml.config.base import Kind
from distml.inspection import signs
from distml.inspection.counts import TextCounts
from distml.inspection.observation import Level
from distml.inspection.probe import Probe
from distml.inspection.remark import shown
from distml.inspection.suspect import Suspect
from distml.inspection.targets import same_spelling
from distml.inspection.tokens import MISSING_WORDS, numbers_mask, tokens_in
from distml.inspection.view import View
from distml.reading.header import MISSING_TOKENS, NUMBER
from distml.schema import Column

_MISREAD = "\ufffd|[ÂÃ][\u0080-\u00bf]|â€"
"""What UTF-8 becomes when it is read as latin-1 or cp1252, and the sign for what couldn't be read at all."""
_IS_NUMBER = f"^(?:{NUMBER})$"
_FEW_ROWS = 10  # from so few nothing is learned or measured of a category
_RARE = 0.01  # share of the rows: a few of a small table are no rarity
_FAR = 10  # times as many rows: a rare category is one that a gap parts from the others
_SHOWN = 6


def suspect_texts(view: View) -> Iterator[Suspect]:
    for column in view.cleaner.schema.kept:
        if column.kind in ("numeric", "datetime", "image") or column.name not in view.columns:
            continue
        counts = view.columns[column.name].counts
        assert isinstance(counts, TextCounts)
        rows = counts.rows if counts.is_whole else _sampled(view, column.name)
        if rows and not (column.role == "id" and not counts.is_whole):
            yield from suspects_of(column, rows, is_source=view.name == "source")


def _sampled(view: View, name: str) -> dict[str, int]:
    return TextCounts.of(view.values(name).drop_null(), view.sample.num_rows).rows


def suspects_of(column: Column, counts: Mapping[str, int], *, is_source: bool = True) -> Iterator[Suspect]:
    """Suspects in one column of texts, from its categories and the rows of each."""
    import pyarrow as pa

    name, texts = column.name, list(counts)
    found = list(tokens_in(pa.array(texts, pa.string()), np.array(list(counts.values()))))
    known = MISSING_TOKENS | MISSING_WORDS
    certain = {text: count for text, count, is_missing in found if is_missing and text.lower() in known}
    doubtful = {text: count for text, count, is_missing in found if not is_missing}
    yield from (_token(name, text) for text in certain)
    if column.role == "feature":
        yield from (_doubtful(name, text) for text in doubtful)
    rest = {text: count for text, count in counts.items() if text not in certain}
    yield from _misread(name, texts)
    typed = list(_types(column, rest, is_told=bool(certain) or not is_source))
    yield from typed
    if not typed and column.role in ("feature", "target"):
        yield from _spellings(column, rest)
        if column.role == "feature":
            yield from _rare(name, {text: count for text, count in rest.items() if text not in doubtful})


def _token(name: str, text: str) -> Suspect:
    return Suspect(
        kind="missing_token", rule="a token for a missing value is declared", column=name, level="high",
        told=f"{shown(text)} is read as a value", remedy=f"data: {{source: {{missing: [{_quoted(text)}]}}}}",
        probe=Probe(column=name, test="in", values=(text,)),
    )  # fmt: skip


def _doubtful(name: str, text: str) -> Suspect:
    return Suspect(
        kind="missing_word", rule="a word for a missing value is meant as a category", column=name, level="medium",
        told=f"{shown(text)} is a category of its own: missing, or an answer?",
        remedy=f"clean: {{replace: {{{name}: {{{_quoted(text)}: null}}}}}}",
        probe=Probe(column=name, test="in", values=(text,)),
    )  # fmt: skip


def _misread(name: str, texts: list[str]) -> Iterator[Suspect]:
    pattern = re.compile(_MISREAD)
    found = [text for text in texts if pattern.search(text)]
    if found:
        yield Suspect(
            kind="encoding", rule="texts are read in the encoding that they were written in", column=name, level="high",
            told=f"such as {shown(found[0])}", remedy="data: {source: {encoding: …}}, or write the table again",
            probe=Probe(column=name, test="matches", values=(_MISREAD,)),
        )  # fmt: skip


def _types(column: Column, counts: Mapping[str, int], *, is_told: bool) -> Iterator[Suspect]:
    """Numbers that are read as categories, because something among them is none, or because of how they are written."""
    import pyarrow as pa

    values = pa.array(list(counts), pa.string())
    if not len(values) or column.dtype == "boolean" or column.role == "id":
        return
    form = signs.odd_form(values)
    if form is not None:
        yield Suspect(
            kind="type", rule="numbers are written as 1.5 and dates as 2024-01-31", column=column.name, level="high",
            told=f"{form}, read as categories", remedy="write the column otherwise, or leave it out by data.exclude",
            probe=Probe(column=column.name, test="not_in"),
        )  # fmt: skip
        return
    if column.dtype != "string" or column.role == "target":  # numbers that are declared to be categories
        return
    is_number = numbers_mask(values)
    yield from _odd_among(column, counts, is_number, "numbers", "numeric", _IS_NUMBER)
    yield from _odd_among(column, counts, signs.dates_mask(values), "dates", "datetime", signs.DATE)
    if is_number.all() and not is_told and len(values) > 2:
        yield Suspect(
            kind="type", rule="numbers are read as numbers", column=column.name, level="high",
            told="all of its values are numbers, but the first rows have none, so it is read as categories",
            remedy=f"data: {{kinds: {{{column.name}: numeric}}}}",
            probe=Probe(column=column.name, test="matches", values=(_IS_NUMBER,)),
        )  # fmt: skip


def _odd_among(
    column: Column, counts: Mapping[str, int], is_one: np.ndarray, what: str, kind: Kind, pattern: str
) -> Iterator[Suspect]:
    """Texts that keep a column from being read as the numbers or dates that nearly all of its rows hold."""
    rows = np.array(list(counts.values()))
    num_odd = int(rows[~is_one].sum())
    if not 0 < num_odd <= (1 - signs.MOSTLY) * rows.sum():
        return
    odd = [text for text, fits in zip(counts, is_one, strict=True) if not fits]
    told = ", ".join(map(shown, odd[:_SHOWN])) + (f" and {len(odd) - _SHOWN:,} more" if len(odd) > _SHOWN else "")
    pairs = ", ".join(f"{_quoted(text)}: null" for text in odd[:_SHOWN])
    remedy = f"clean: {{replace: {{{column.name}: {{{pairs}}}}}}}"
    if len(odd) > _SHOWN:
        remedy = f"correct the table, then data: {{kinds: {{{column.name}: {kind}}}}}"
    yield Suspect(
        kind="type", rule=f"{what} stand among {what}", column=column.name, level="high",
        told=f"{num_odd:,} of {rows.sum():,} {'is' if num_odd == 1 else 'are'} no {what[:-1]}: {told}; so all are read "
        f"as {'texts' if column.kind == 'text' else 'categories'}",
        remedy=remedy, probe=Probe(column=column.name, test="not_matches", values=(pattern,)),
    )  # fmt: skip


def _spellings(column: Column, counts: Mapping[str, int]) -> Iterator[Suspect]:
    if len(counts) > 1000:
        return
    other = same_spelling(counts)
    if not other:
        return
    pairs = ", ".join(f"{_quoted(a)}: {_quoted(b)}" for a, b in list(other.items())[:_SHOWN])
    level: Level = "high" if column.role == "target" else "medium"
    yield Suspect(
        kind="spelling", rule="a category is written in one way", column=column.name, level=level,
        told=", ".join(f"{shown(a)} beside {shown(b)}" for a, b in list(other.items())[:_SHOWN]),
        remedy=f"clean: {{replace: {{{column.name}: {{{pairs}}}}}}}",
        probe=Probe(column=column.name, test="in", values=tuple(other)),
    )  # fmt: skip


def _rare(name: str, counts: Mapping[str, int]) -> Iterator[Suspect]:
    found = rare_categories(counts)
    if not found:
        return
    told = ", ".join(f"{shown(text)} {counts[text]:,}" for text in found[:_SHOWN])
    yield Suspect(
        kind="rare", rule="a category has rows to learn it from", column=name, level="low",
        told=f"{told}, where the others have {min(n for t, n in counts.items() if t not in found):,} and more",
        remedy=f"features: {{categorical: {{min_count: {max(counts[text] for text in found) + 1}}}}}",
        probe=Probe(column=name, test="in", values=tuple(found)),
    )  # fmt: skip


def rare_categories(counts: Mapping[str, int]) -> list[str]:
    """Categories of few rows that a gap parts from all others; a tail that thins out step by step has none.

    >>> rare_categories({"inland": 6551, "near bay": 2290, "island": 5})
    ['island']
    >>> rare_categories({str(k): 1000 // k for k in range(1, 200)})
    []
    """
    order = sorted(counts, key=lambda text: (counts[text], text))
    rows = [counts[text] for text in order]
    total = sum(rows)
    for i in range(len(order) - 2, -1, -1):
        if rows[i] < min(_FEW_ROWS, _RARE * total) and rows[i + 1] >= _FAR * rows[i]:
            return order[: i + 1]
    return []


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
