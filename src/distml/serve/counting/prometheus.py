"""What the monitor counted, as Prometheus reads it: text or OpenMetrics, whichever the scraper asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder

from distml.serve.counting.counters import COMMON, COUNTERS, SHADOW, common_labels
from distml.window import Histogram

_MICROSECONDS = 1e6
# Field of `Counts`, name, help, how many of its units are one of Prometheus's.
_HISTOGRAMS = (
    ("latency", "distml_request_duration_seconds", "from a request's last byte to its answer", _MICROSECONDS),
    ("waits", "distml_queue_wait_seconds", "how long a request waited for its batch", _MICROSECONDS),
    ("batches", "distml_batch_requests", "requests in one call of the model", 1),
)


def render(metrics: Mapping[str, Any], accept: str = "") -> tuple[bytes, str]:
    """`Monitor.metrics` as a body and its content type; accept: the scraper's header."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(metrics))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Collector:
    """Hands prometheus_client the families of one moment."""

    def __init__(self, metrics: Mapping[str, Any]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        known = [
            (common_labels(self._metrics["name"], version, is_shadow), counts)
            for (version, is_shadow), counts in sorted(self._metrics["counts"].items())
        ]
        shadows = [(common, counts) for common, counts in known if common[-1] == SHADOW]
        for counter in COUNTERS:
            family = CounterMetricFamily(counter.name, counter.help, labels=[*COMMON, *counter.labels])
            for common, counts in shadows if counter.of_shadow else known:
                for values, count in counter.read(counts).items():
                    family.add_metric([*common, *values], count)
            yield family
        for field, name, told, unit in _HISTOGRAMS:
            histograms = HistogramMetricFamily(name, told, labels=COMMON)
            for common, counts in known:
                held: Histogram = getattr(counts, field)
                histograms.add_metric(common, _buckets(held, unit), held.total / unit)
            yield histograms
        yield from _gauges(self._metrics)
        greatest = GaugeMetricFamily(
            "distml_shadow_score_difference_max", "greatest absolute difference of a shadow's scores", labels=COMMON
        )
        for common, counts in shadows:
            greatest.add_metric(common, counts.max_difference)
        yield greatest


def _gauges(metrics: Mapping[str, Any]) -> Iterator[Metric]:
    """What stands now."""
    model = [metrics["name"]]
    replicas = GaugeMetricFamily("distml_replicas", "replicas that are alive", labels=["model"])
    replicas.add_metric(model, metrics["replicas"])
    yield replicas
    for name, told in (("loaded", "hold a version"), ("main", "answer with a version by default")):
        held = GaugeMetricFamily(f"distml_{name}_replicas", f"replicas that {told}", labels=["model", "version"])
        for version, count in metrics[name].items():
            held.add_metric([*model, str(version)], count)
        yield held
    for name in ("ongoing", "queued"):
        gauge = GaugeMetricFamily(f"distml_{name}_requests", f"requests that are {name} now", labels=["model"])
        gauge.add_metric(model, metrics["gauges"][name])
        yield gauge


def _buckets(histogram: Histogram, unit: float) -> list[tuple[str, float]]:
    """Upper bound -> how many lie at or below it, as Prometheus counts."""
    bounds = [*(f"{edge / unit:g}" for edge in histogram.edges), "+Inf"]
    return list(zip(bounds, accumulate(histogram.counts), strict=True))
