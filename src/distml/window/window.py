"""`Window`: what was served in a stretch of time. Replicas fill one and send it; the monitor merges them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from distml.clean import as_text
from distml.postprocess import Prediction
from distml.summary import TableSummary, decile_edges
from distml.window.counts import Counts


@dataclass(kw_only=True)
class Window(Counts):
    """One version's counts, with summaries of the rows: inputs of the cleaned ones, predictions of
    `predictions_table`. is_shadow: the version listened, and somebody else answered."""

    version: int
    is_shadow: bool = False
    inputs: TableSummary
    predictions: TableSummary

    @classmethod
    def like(cls, version: int, inputs: TableSummary, predictions: TableSummary, *, is_shadow: bool = False) -> Window:
        """An empty window with the columns and bins of a package's baseline."""
        return cls(version=version, is_shadow=is_shadow, inputs=inputs.fresh(), predictions=predictions.fresh())

    @property
    def key(self) -> tuple[int, bool]:
        """What windows have in common that can be merged."""
        return self.version, self.is_shadow

    def summarise(self, tables: Sequence[Any], predictions: Sequence[Prediction]) -> None:
        """Adds cleaned pyarrow tables and predictions of their rows to the summaries alone."""
        import pyarrow as pa

        if tables:
            # One update for all of them: a summary costs the same for one row as for a thousand.
            self.inputs.update(pa.concat_tables(tables))
            self.predictions.update(predictions_table(joined(predictions)))

    def merge(self, other: Window) -> Window:
        assert self.key == other.key, "windows of different versions"
        merged = Window(
            version=self.version, is_shadow=self.is_shadow, inputs=self.inputs.merge(other.inputs),
            predictions=self.predictions.merge(other.predictions),
        )  # fmt: skip
        merged.include(self)
        merged.include(other)
        return merged


def joined(predictions: Sequence[Prediction]) -> Prediction:
    """Predictions of one model, of one batch of rows after the other."""
    if len(predictions) == 1:
        return predictions[0]
    shares = [prediction.probabilities for prediction in predictions if prediction.probabilities is not None]
    return Prediction(
        values=np.concatenate([prediction.values for prediction in predictions]),
        probabilities=np.concatenate(shares) if shares else None,
        labels=predictions[0].labels,
    )


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
