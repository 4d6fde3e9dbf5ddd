"""What cleaning came to: the rows that are kept, what was found, and what the others break."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from distml.clean.convert import as_mask
from distml.clean.findings import MAX_EXAMPLES, Finding, Taken
from distml.errors import DataError
from distml.schema import Column


@dataclass(frozen=True)
class Broken:
    """A rule of a column, and which rows break it, bool [n]."""

    text: str
    action: Taken
    mask: np.ndarray


@dataclass(frozen=True)
class Cleaned:
    """A cleaned table of the rows to keep, which rows those are (bool [n] over the input), and what was found."""

    table: Any
    kept: np.ndarray
    findings: tuple[Finding, ...]
    broken: tuple[Broken, ...] = ()  # what the rows that aren't kept break

    def reasons(self, rows: np.ndarray, *actions: Taken) -> list[str]:
        """For each of some rows [m] every rule that it breaks (with one of the actions, if any are named)."""
        told = [b for b in self.broken if not actions or b.action in actions]
        masks = np.array([b.mask[rows] for b in told]).reshape(len(told), len(rows))
        return ["; ".join(told[i].text for i in np.flatnonzero(masks[:, k])) for k in range(len(rows))]

    @property
    def quarantined(self) -> np.ndarray:
        """Rows to be set aside, int64 [m]."""
        masks = [b.mask for b in self.broken if b.action == "quarantine"]
        return np.flatnonzero(np.logical_or.reduce(masks)) if masks else np.empty(0, np.int64)

    def raise_failures(self, where: str) -> None:
        """Raises `DataError` for the first finding whose action is `fail`."""
        for finding in self.findings:
            if finding.action == "fail":
                row, value = finding.examples[0]
                raise DataError(
                    f"{finding.rule} ({finding.count} rows)" if finding.count > 1 else finding.rule,
                    received=value,
                    where=f"{where}, row {row}, column {finding.column}",
                    remedy=finding.remedy,
                )


@dataclass(frozen=True)
class Notes:
    """A `Found` that keeps what was found in one column."""

    column: Column
    findings: list[Finding]
    broken: list[Broken]

    def __call__(self, rule: str, mask: Any, action: Taken, shown: Any, remedy: str | None = None) -> np.ndarray:
        mask = as_mask(mask)
        rows = np.flatnonzero(mask)
        if not len(rows):
            return mask
        if action in ("fail", "quarantine", "drop"):
            self.broken.append(Broken(f"{self.column.name}: {rule}", action, mask))
        examples = tuple((int(row), _shown(shown[int(row)].as_py(), self.column)) for row in rows[:MAX_EXAMPLES])
        self.findings.append(
            Finding(
                rule=rule, column=self.column.name, count=len(rows), action=action, examples=examples, remedy=remedy
            )
        )
        return mask


def _shown(value: Any, column: Column) -> str:
    if column.private:
        return "(private)"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def ignored(rule: str, mask: Any, action: Taken, shown: Any, remedy: str | None = None) -> np.ndarray:
    """A `Found` that keeps nothing."""
    return as_mask(mask)
