"""`Format`: how one protocol writes rows into a request and predictions into its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from distml.postprocess import Prediction
from distml.schema import Schema
from distml.serve.wire.limits import Limits
from distml.serve.wire.problem import Reply


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What a request asks to be predicted: JSON `records`, or a pyarrow `table` of raw columns; one of the two.

    told: what the answer needs to know of the request, such as an id or the outputs that are wanted. ignored: columns
    that no model reads -> rows that have them; absent: optional columns -> rows that don't.
    """

    records: list[Any] | None = None
    table: Any = None
    told: Mapping[str, Any] = field(default_factory=dict)
    ignored: Mapping[str, int] = field(default_factory=dict)
    absent: Mapping[str, int] = field(default_factory=dict)

    @property
    def num_rows(self) -> int:
        return len(self.records) if self.records is not None else self.table.num_rows


@dataclass(frozen=True, kw_only=True)
class Answered:
    """Who answered."""

    name: str
    version: int
    request_id: str

    @property
    def headers(self) -> dict[str, str]:
        """Who answered, for answers whose form has no place for it."""
        return {"X-Model-Name": self.name, "X-Model-Version": str(self.version)}


class Format(Protocol):
    """One protocol's reading and writing. Stateless: one object serves every request."""

    def read(self, body: bytes, headers: Mapping[str, str], schema: Schema, limits: Limits) -> Rows:
        """The rows of a body. Raises `Problem` for one that isn't as the protocol says."""
        ...

    def write(self, prediction: Prediction, rows: Rows, answered: Answered) -> Reply:
        """The answer of status 200."""
        ...
