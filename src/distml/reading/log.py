"""What reading passed over or mended, counted by rule, with the file and the line of the first examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from distml.clean import MAX_EXAMPLES, Finding
from distml.clean.findings import Taken

_SHOWN = 80  # characters of a line


class Line(NamedTuple):
    """A line of a file, counted from 1, that is set aside, and why."""

    path: str
    number: int
    text: str
    reason: str


@dataclass
class ReadLog:
    """What was found while one or more fragments were read. Where a table has private columns no line is shown."""

    is_private: bool = False
    found: dict[tuple[str, str | None, str], Finding] = field(default_factory=dict)
    aside: list[Line] = field(default_factory=list)

    def note(
        self, rule: str, action: Taken, path: str, count: int, examples: Sequence[tuple[int, str]] = (), *,
        column: str | None = None, remedy: str | None = None,
    ) -> None:  # fmt: skip
        """Counts `count` breaches of a rule; `examples` are (line from 1, text) pairs, in order."""
        if not count:
            return
        shown = tuple((line, self.shown(text)) for line, text in examples[:MAX_EXAMPLES])
        new = Finding(rule=rule, column=column, count=count, action=action, examples=shown, remedy=remedy, file=path)
        before = self.found.get((rule, column, action))
        if before is not None:
            seen = before.examples if before.file != path else (before.examples + shown)[:MAX_EXAMPLES]
            new = replace(before, count=before.count + count, examples=seen)
        self.found[rule, column, action] = new

    def shown(self, text: str) -> str:
        """A line as people may see it."""
        return "(private)" if self.is_private and text else shortened(text)

    def findings(self) -> Iterator[Finding]:
        """Examples are (line, text) pairs of the finding's file."""
        yield from self.found.values()

    def take(self) -> list[Finding]:
        """What was found since the last call."""
        taken = list(self.findings())
        self.found.clear()
        return taken

    def aside_table(self) -> Any:
        """The lines set aside as a pyarrow table: file, line, text, distml_reason."""
        import pyarrow as pa

        names = ("file", "line", "text", "distml_reason")
        columns = list(zip(*self.aside, strict=True)) or [()] * len(names)
        kinds = (pa.string(), pa.int64(), pa.string(), pa.string())
        return pa.table([pa.array(c, k) for c, k in zip(columns, kinds, strict=True)], list(names))


def shortened(text: str) -> str:
    """
    >>> shortened("a\\n")
    'a'
    """
    text = text.rstrip("\r\n")
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
