"""Windows of what a small model served: one number `size`, uniform in training as is its prediction."""

import numpy as np
import pyarrow as pa

from distml.postprocess import Prediction
from distml.summary import TableSummary
from distml.window import Window, summarise_predictions


def predicted(values) -> Prediction:
    return Prediction(values=np.asarray(values, float), probabilities=None, labels=None)


INPUTS = TableSummary({"size": "numeric"}, edges={"size": np.linspace(0, 1, 11)})
INPUTS.update(pa.table({"size": np.linspace(0, 1, 2001)}))
PREDICTIONS = summarise_predictions(predicted(np.linspace(0, 1, 2001)))
BASELINE = {"inputs": INPUTS.to_dict(), "predictions": PREDICTIONS.to_dict()}


def window(rows: int = 50, *, version: int = 4, is_shadow: bool = False, shift: float = 0.0, faults: int = 0) -> Window:
    """Of one request that took 2 ms, and of faults that took 200 ms each. shift: of the sizes, as when they drift."""
    filled = Window.like(version, INPUTS, PREDICTIONS, is_shadow=is_shadow)
    table = pa.table({"size": np.linspace(0, 1, rows) + shift})
    filled.summarise([table], [predicted(np.linspace(0, 1, rows))])
    filled.rows += rows
    filled.request(2.0)
    for _ in range(faults):
        filled.request(200.0, "version-failed", is_fault=True)
    return filled
