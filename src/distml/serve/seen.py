"""`Seen`: what one version's requests were since it was last asked, noted on the request path and summarised off it."""

from __future__ import annotations

from typing import Any

from distml.clean import Cleaned
from distml.postprocess import Prediction
from distml.predictor import Predictor
from distml.window import Window


class Seen:
    """Touched on the request path, so appended to only."""

    def answered(self, records: list[dict[str, Any]], prediction: Prediction) -> None:
        """Rows that were predicted without a table."""
        raise NotImplementedError

    def answered_table(self, cleaned: Cleaned, prediction: Prediction) -> None:
        """Rows that were predicted as a table, as cleaning left them."""
        raise NotImplementedError

    def request(self, milliseconds: float, problem: str | None = None, *, is_fault: bool = False) -> None:
        """One request that ended, by the problem's kind where it wasn't answered; is_fault: the version failed, not
        the client."""
        raise NotImplementedError

    def batch(self, num_requests: int, num_rows: int) -> None:
        """One call of the model, and how many requests it answered."""
        raise NotImplementedError

    def ignored(self, column: str, num_rows: int) -> None:
        """A column that the schema doesn't have."""
        raise NotImplementedError

    def compared(self, live: Prediction, shadow: Prediction) -> None:
        """The same rows' predictions by the version that answered and by this one, which only listened."""
        raise NotImplementedError

    def window(self, version: int, predictor: Predictor) -> Window:
        """All of it as a window."""
        raise NotImplementedError
