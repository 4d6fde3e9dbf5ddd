"""What was found in a table: a rule that it breaks, how often, where, and what was done."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

MAX_EXAMPLES = 5


Taken = Literal["fail", "quarantine", "drop", "null", "clip", "warn", "ignore", "keep", "replace"]  # gravest first


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that was found in a table: what rule it breaks, how often, and what was done.

    `examples` are (row, value) pairs, rows counted from 0 within the table or from where the reader says; of what
    reading found they are (line, text) pairs of `file`, lines counted from 1.
    """

    rule: str
    column: str | None
    count: int
    action: Taken
    examples: tuple[tuple[int, str], ...] = ()
    remedy: str | None = None
    table: Literal["source", "test"] | None = None
    file: str | None = None  # that the examples are of, where it is known

    def placed(self, table: Literal["source", "test"], offset: int) -> Finding:
        """The same finding as one of a whole table, of which its block begins at row `offset`.

        Lines of a file stay what they are.
        """
        moved = self.examples if self.file else tuple((row + offset, value) for row, value in self.examples)
        return dataclasses.replace(self, examples=moved, table=table)


def merge_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Findings of many blocks as one list: counts added, the first examples kept, what costs rows or values first."""
    merged: dict[tuple[str | None, ...], Finding] = {}
    for finding in findings:
        key = (finding.rule, finding.column, finding.action, finding.table)
        before = merged.get(key)
        if before is None:
            merged[key] = finding
            continue
        examples = before.examples  # of one file only, the first
        if before.file == finding.file:
            examples = tuple(sorted(before.examples + finding.examples)[:MAX_EXAMPLES])
        merged[key] = dataclasses.replace(before, count=before.count + finding.count, examples=examples)
    return sorted(merged.values(), key=lambda finding: get_args(Taken).index(finding.action))
