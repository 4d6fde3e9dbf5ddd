"""The command that lays runs side by side: compare."""

from __future__ import annotations

from string import ascii_uppercase
from textwrap import wrap
from typing import Annotated, Any

import typer

from distml.cli.options import DEFAULT_STORAGE, Json, StorageOption
from distml.cli.output import begin, result, room, table

_WIDTH = 80  # where no terminal says how wide it is

Runs = Annotated[list[str], typer.Argument(help="two runs' ids, or more", metavar="RUN RUN")]


def register(app: typer.Typer) -> None:
    app.command()(compare)


def compare(runs: Runs, storage: StorageOption = DEFAULT_STORAGE, json: Json = False) -> None:
    """Metrics side by side, and what differs in config, data, best trial and verdict."""
    begin(json)
    from distml.errors import UsageError
    from distml.lifecycle.compare import compare as compare_runs
    from distml.lifecycle.compare import prepared_of
    from distml.lifecycle.runs import read_run
    from distml.storage import Storage

    if not 2 <= len(runs) <= len(ascii_uppercase):
        raise UsageError("two runs are compared, or a few more", received=str(len(runs)), remedy="name each by its id")
    home = Storage(storage)
    records = [read_run(home, run) for run in runs]
    document = compare_runs(records, [prepared_of(home, record) for record in records])
    result(document, _text(document, room() or _WIDTH))


def _text(document: dict[str, Any], width: int) -> str:
    letters = list(ascii_uppercase[: len(document["runs"])])
    lines = [f"{letter}  {run}" for letter, run in zip(letters, document["runs"], strict=True)]
    lines += [f"\n{remark}" for remark in document["remarks"]]
    for split, metrics in document["metrics"].items():
        if metrics:
            rows = [[name, *_scores(metric)] for name, metric in metrics.items()]
            lines += ["", _beside([split, *letters], rows, width)]
    lines += ["", _beside(["", *letters], _facts(document), width)]
    differing = [[name, *(_cell(value) for value in values)] for name, values in document["config"].items()]
    lines += ["", _beside(["config", *letters], differing, width) if differing else "the configs are the same"]
    return "\n".join(lines)


def _beside(head: list[str], rows: list[list[str]], width: int) -> str:
    """A table, or where that is wider than `width` every value in a line of its own.

    >>> print(_beside(["config", "A", "B"], [["seed", "0", "7"]], 80))
    config  A  B
    seed    0  7
    >>> print(_beside(["config", "A", "B"], [["seed", "0", "7"]], 10))
    config
      seed
        A  0
        B  7
    """
    text = table(head, rows)
    if max(map(len, text.splitlines())) <= width:
        return text
    lines = [head[0]] if head[0] else []
    for name, *values in rows:
        lines.append(f"  {name}")
        for letter, value in zip(head[1:], values, strict=True):
            lines += wrap(value, width, initial_indent=f"    {letter}  ", subsequent_indent=" " * 7)
    return "\n".join(lines)


def _scores(metric: dict[str, Any]) -> list[str]:
    """A metric's cells, what follows the first with its difference from it.

    >>> _scores({"values": [0.9, 0.92, None], "differences": [0.0, 0.02, None], "are_better": [None, True, None]})
    ['0.9', '0.92 (+0.02 better)', '–']
    """
    from distml.evaluation.page import figure

    values, gaps, better = metric["values"], metric["differences"], metric["are_better"]
    cells = [figure(values[0])]
    for value, gap, is_better in zip(values[1:], gaps[1:], better[1:], strict=True):
        told = {None: "same", True: "better", False: "worse"}[is_better]
        cells.append(figure(value) + ("" if gap is None else f" ({gap:+.3g} {told})" if gap else " (same)"))
    return cells


def _facts(document: dict[str, Any]) -> list[list[str]]:
    data = document["data"]
    rows = [
        ["task", *(_cell(task) for task in document["tasks"])],
        ["prepared", *(_cell(key) for key in data["prepared"])],
    ]
    for split in ("train", "validation", "test"):
        counts = [None if about is None else about[split] for about in data["num_rows"]]
        rows.append([f"{split} rows", *("–" if count is None else f"{count:,}" for count in counts)])
    best = [None if found is None else f"trial {found['trial']} {found['family']}" for found in document["best"]]
    verdicts = [None if found is None else _verdict(found) for found in document["verdicts"]]
    rows.append(["best", *(_cell(found) for found in best)])
    rows.append(["version", *(_cell(number) for number in document["versions"])])
    rows.append(["verdict", *(_cell(found) for found in verdicts)])
    return rows


def _verdict(verdict: dict[str, Any]) -> str:
    return "promoted" if verdict["promoted"] else "refused"


def _cell(value: Any) -> str:
    return "–" if value is None else str(value)
