"""Something supposed of a table, said in words for a config's comments."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Remark:
    """What was seen of a column (None: of the whole table). `change`: YAML that acts on it, where it isn't done."""

    column: str | None
    text: str
    change: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def shown(value: Any) -> str:
    """A value in a comment, on one line.

    >>> print(shown("a\\nb"), shown(2.0), shown(0.125))
    'a\\nb' 2 0.125
    """
    if isinstance(value, float):
        return f"{value:.10g}"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "…'"


def counted(rows: dict[str, int]) -> str:
    """Columns with their counts.

    >>> counted({"job": 1836, "country": 583})
    'job 1,836, country 583'
    """
    return ", ".join(f"{name} {count:,}" for name, count in rows.items())
