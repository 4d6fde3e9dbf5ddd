"""What commands print: results on stdout, everything else on stderr."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Collection, Mapping
from typing import Any

from distml.wording import numbered

_state: dict[str, Any] = {"json": False, "out": None}


def begin(as_json: bool) -> None:
    """Keeps the real stdout for results: whatever a library prints goes to stderr from here on."""
    _state["json"] = as_json
    if _state["out"] is None:
        sys.stdout.flush()
        _state["out"] = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)


def result(document: Any, text: str) -> None:
    """Prints a command's result: one JSON document with --json, else a text for people; in a job, both in a line."""
    if _state["json"] or "DISTML_JOB" in os.environ:
        import orjson

        options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
        if "DISTML_JOB" in os.environ:
            from distml.cluster.probe import MARK

            text = MARK + orjson.dumps({"document": document, "text": text}, option=options).decode()
        else:
            text = orjson.dumps(document, option=options | orjson.OPT_INDENT_2).decode()
    print(text, file=_state["out"] or sys.stdout, flush=True)


def room() -> int | None:
    """Columns of the terminal that results go to; None for a file or a program, which take lines of any length."""
    out = _state["out"] or sys.stdout
    return os.get_terminal_size(out.fileno()).columns if out.isatty() else None


def is_watched() -> bool:
    """Whether someone looks at stderr as it is written: a terminal that can move its cursor, and no program's."""
    return sys.stderr.isatty() and not _state["json"] and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"


def say(text: str) -> None:
    """A line for people, on stderr."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def fail(error: BaseException) -> int:
    """Tells an error in one paragraph and returns the exit code."""
    from distml.errors import DistmlError, root_cause

    cause = root_cause(error)
    if isinstance(cause, DistmlError):
        document: dict[str, Any] = {"error": cause.to_dict()}
        text, code = str(cause), cause.exit_code
    elif hasattr(error, "format_message") and hasattr(error, "exit_code"):  # typer's own: usage
        context = getattr(error, "ctx", None)
        text = f"{error.format_message()} Try `{context.command_path if context else 'distml'} --help`."
        document, code = {"error": {"type": "UsageError", "rule": text}}, 2
    else:
        path = _write_traceback(error)
        text = f"an error that distml didn't expect: {type(error).__name__}: {_first_line(error)} (more in {path})"
        document, code = {"error": {"type": type(error).__name__, "rule": text}}, 1
    say(f"distml: {text}")
    if _state["json"]:
        result(document, "")
    return code


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1][:300] if lines else ""


def _write_traceback(error: BaseException) -> str:
    import tempfile
    import traceback

    handle, path = tempfile.mkstemp(prefix="distml-error-", suffix=".txt")
    with os.fdopen(handle, "w") as stream:
        traceback.print_exception(error, file=stream)
    return path


class Lines:
    """A `Reporter` that prints plain lines on stderr."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self.run_id: str | None = None
        self._storage: str | None = None
        self._told: set[str] = set()  # notes of trials

    def run(self, run: str, storage: str) -> None:
        self.run_id, self._storage = run, storage

    def stage(self, name: str, note: str) -> None:
        if note != "…":
            self._say_of(name, note)

    def done(self, name: str, note: str) -> None:
        self._say_of(name, note)

    def _say_of(self, name: str, note: str) -> None:
        if self._storage is not None:  # not before there is something to tell: a run that is refused leaves nothing
            self._tell(f"run {self.run_id} in {self._storage}")
            self._storage = None
        self._tell(f"{name:<9} {note}")

    def trial(self, record: Any, best: float | None, num_done: int, num_samples: int) -> None:
        self._tell_notes(record)
        score = "–" if record.score is None else f"{record.score:.6g}"
        reason = f": {record.reason}" if record.reason else ""
        self._tell(
            f"trial {num_done}/{num_samples}: {record.number} {record.family} {record.state}, "
            f"{score} after {numbered(record.num_epochs, 'epoch')}, "
            f"best {'–' if best is None else format(best, '.6g')}{reason}"
        )

    def _tell_notes(self, record: Any) -> None:
        """What a trial did by itself; what others did before it is not told again."""
        for note in record.notes:
            if note not in self._told:
                self._told.add(note)
                self._tell(f"trial {record.number}: {note}")

    def search(self, terms: Any) -> None:
        pass

    def recall(self, trial: Any) -> None:
        pass

    def began(self, candidate: Any) -> None:
        pass

    def epochs(self, number: int, epochs: Any) -> None:
        pass

    def trials(self, num_running: int, num_done: int, num_samples: int) -> None:
        pass

    def close(self) -> None:
        pass

    def _tell(self, text: str) -> None:
        self._line(f"{time.monotonic() - self._started:6.1f} s  {text}")

    def _line(self, text: str) -> None:
        say(text)


def moment(at: str) -> str:
    """A record's time, which is UTC, to the second.

    >>> moment("2026-01-02T03:04:05.678+00:00")
    '2026-01-02T03:04:05Z'
    """
    return f"{at[:19]}Z"


def table(head: list[str], rows: list[list[str]], texts: Collection[str] = ()) -> str:
    """Rows under heads, columns aligned; the first and those of `texts` to the left, others to the right.

    >>> print(table(["a", "n", "t"], [["x", "1", "p"], ["yy", "20", "qq"]], texts=["t"]))
    a    n  t
    x    1  p
    yy  20  qq
    """
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    is_text = [i == 0 or name in texts for i, name in enumerate(head)]
    lines = []
    for row in [head, *rows]:
        told = zip(row, widths, is_text, strict=True)
        lines.append("  ".join(cell.ljust(width) if left else cell.rjust(width) for cell, width, left in told).rstrip())
    return "\n".join(lines)


def model_of(outcome: Mapping[str, Any]) -> str:
    """What a run's package is made of, in a word or three, from its result document.

    >>> model_of({"ensemble": None, "best": {"family": "mlp"}}), model_of({"ensemble": [{}, {}, {}]})
    ('mlp', 'blend of 3')
    """
    members = outcome.get("ensemble") or ()
    return f"blend of {len(members)}" if len(members) > 1 else str(outcome["best"]["family"])
