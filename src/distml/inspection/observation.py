"""An observation: something wrong or odd in a table, how grave, how often, where, and the line of config against it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from distml.clean.findings import Taken

Level = Literal["fail", "high", "medium", "low"]  # gravest first; `fail`: a run would refuse the table
TableName = Literal["source", "test"]
Unit = Literal["row", "file"]


def file_name(path: str) -> str:
    """What a file is called among a table's others.

    >>> file_name("s3://data/2024/a.csv")
    'a.csv'
    """
    return path.rsplit("/", 1)[-1]


@dataclass(frozen=True, kw_only=True)
class Example:
    """One row that an observation is about. `row` counts a file's rows from 0, the header not among them; of what
    came up in reading it is None, and `line` counts the file's lines from 1."""

    file: str
    row: int | None
    value: str
    line: int | None = None

    @property
    def place(self) -> str:
        """
        >>> Example(file="data/a.csv", row=3, value="?").place, Example(file="a.csv", row=None, value="", line=5).place
        ('a.csv:3', 'a.csv, line 5')
        """
        name = file_name(self.file)
        if self.row is not None:
            return f"{name}:{self.row}"
        return name if self.line is None else f"{name}, line {self.line}"


@dataclass(frozen=True, kw_only=True)
class Observation:
    """Something seen in a table. `kind` is its name for programs, `rule` what it breaks, `told` what was seen.

    `count` is exact over all rows of `table`, or over its files where that is the `unit`, and `share` a part of them.
    `column` None: the whole table.
    `remedy` is a line of config, or what to do where no config can help.
    """

    kind: str
    rule: str
    column: str | None
    level: Level
    count: int
    share: float | None = None
    told: str = ""
    action: Taken = "warn"
    remedy: str | None = None
    table: TableName | None = "source"
    examples: tuple[Example, ...] = ()
    unit: Unit = "row"

    @property
    def weight(self) -> tuple[int, float, str, str]:
        """What observations are sorted by: the gravest first, then those of most rows."""
        return (get_args(Level).index(self.level), -(self.share or 0.0), self.kind, self.column or "")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def worst_first(observations: Iterable[Observation]) -> tuple[Observation, ...]:
    return tuple(sorted(observations, key=lambda seen: seen.weight))
