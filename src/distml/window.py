"""`Window`: what was served in a stretch of time. Replicas fill one and send it; the monitor merges them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from distml.clean import Cleaned, as_text
from distml.postprocess import Prediction
from distml.summary import TableSummary, decile_edges

# Upper bounds of latency buckets in milliseconds; a factor of about 1.5 apart, so a quantile errs by at most that.
LATENCY_EDGES_MS = np.array(
    [0.5, 0.75, 1, 1.5, 2, 3, 5, 7.5, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1000, 2000, 5000]
)


@dataclass
class Window:
    """inputs: summary of the cleaned rows; predictions: summary of `predictions_table`; latency: int64 counts per
    bucket of `LATENCY_EDGES_MS` and one above; errors: problem type -> requests."""

    version: int
    inputs: TableSummary
    predictions: TableSummary
    requests: int = 0
    rows: int = 0
    ignored: dict[str, int] = field(default_factory=dict)  # columns that the schema doesn't have -> rows
    errors: dict[str, int] = field(default_factory=dict)
    latency: np.ndarray = field(default_factory=lambda: np.zeros(len(LATENCY_EDGES_MS) + 1, np.int64))

    @classmethod
    def like(cls, version: int, inputs: TableSummary, predictions: TableSummary) -> Window:
        """An empty window with the columns and bins of a package's baseline."""
        return cls(version=version, inputs=inputs.fresh(), predictions=predictions.fresh())

    def observe(self, cleaned: Sequence[Cleaned], predictions: Sequence[Prediction]) -> None:
        """Adds served rows: what they were cleaned to, and what was predicted for them."""
        import pyarrow as pa

        if not cleaned:
            return
        # One update for all of them: a summary costs the same for one row as for a thousand.
        inputs = pa.concat_tables([served.table for served in cleaned])
        self.inputs.update(inputs)
        self.predictions.update(pa.concat_tables([predictions_table(prediction) for prediction in predictions]))
        self.rows += inputs.num_rows

    def time(self, milliseconds: float) -> None:
        """Adds an answered request's latency."""
        self.requests += 1
        self.latency[np.searchsorted(LATENCY_EDGES_MS, milliseconds)] += 1

    def merge(self, other: Window) -> Window:
        assert self.version == other.version, "windows of different versions"
        return Window(
            version=self.version,
            inputs=self.inputs.merge(other.inputs),
            predictions=self.predictions.merge(other.predictions),
            requests=self.requests + other.requests,
            rows=self.rows + other.rows,
            ignored=_added(self.ignored, other.ignored),
            errors=_added(self.errors, other.errors),
            latency=self.latency + other.latency,
        )

    def latency_ms(self, q: float) -> float | None:
        """The upper end of the bucket that a latency quantile (q above 0) lies in, in milliseconds, at most 5,000;
        None without requests."""
        total = self.latency.sum()
        if not total:
            return None
        place = int(np.searchsorted(np.cumsum(self.latency), q * total))
        return float(LATENCY_EDGES_MS[min(place, len(LATENCY_EDGES_MS) - 1)])


def predictions_table(prediction: Prediction) -> Any:
    """Predictions as a pyarrow table: the label (classes only) and the score."""
    import pyarrow as pa

    columns: dict[str, Any] = {}
    if prediction.labels is not None:
        columns["prediction"] = pa.array([as_text(value) for value in prediction.values], pa.string())
    columns["score"] = pa.array(prediction.score, pa.float64())
    return pa.table(columns)


def summarise_predictions(prediction: Prediction) -> TableSummary:
    """The baseline of predictions: a summary with the deciles of the score as its bins."""
    edges = decile_edges(np.quantile(prediction.score, np.linspace(0, 1, 11))) if len(prediction) else None
    kinds: dict[str, Any] = {} if prediction.labels is None else {"prediction": "categorical"}
    summary = TableSummary(kinds | {"score": "numeric"}, edges={} if edges is None else {"score": edges})
    summary.update(predictions_table(prediction))
    return summary


def _added(a: dict[str, int], b: dict[str, int]) -> dict[str, int]:
    return {key: a.get(key, 0) + b.get(key, 0) for key in {**a, **b}}
