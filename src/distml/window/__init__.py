"""What was served in a stretch of time, counted and summarised: replicas fill windows, the monitor merges them."""

from distml.window.counts import BATCH_EDGES, LATENCY_EDGES_MS, LATENCY_EDGES_US, MAX_NAMES, OTHERS, Counts
from distml.window.histogram import Histogram
from distml.window.window import Window, predictions_table, summarise_predictions

__all__ = [
    "BATCH_EDGES",
    "LATENCY_EDGES_MS",
    "LATENCY_EDGES_US",
    "MAX_NAMES",
    "OTHERS",
    "Counts",
    "Histogram",
    "Window",
    "predictions_table",
    "summarise_predictions",
]
