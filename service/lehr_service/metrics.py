"""What the server counts while it runs, in the text form that Prometheus reads.

Several server processes on one port share what they count through files (``share``), so that a
scrape, which reaches any one of them, hears of all.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""The folder of what processes share; the library looks for it when it is imported."""

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
_COMMANDS = (1, 2, 4, 8, 16, 32, 64, 128, 256)

disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The counters of one server process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._of_requests: dict[tuple[str, str, int], Histogram] = {}
        self._requests = Histogram(
            "lehr_http_request_seconds",
            "From a request to the beginning of its answer; a claim that waits for work takes long",
            ["method", "route", "status"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._batches = Histogram(
            "lehr_lane_batch_commands",
            "Commands that a lane stored in one transaction",
            buckets=_COMMANDS,
            registry=self._registry,
        )
        self._waits = Histogram(
            "lehr_lane_wait_seconds",
            "From a command to the transaction that it becomes a part of",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._asks = Histogram(
            "lehr_ask_seconds",
            "A sampler's time for a suggestion, in a sampler process or in a lane",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._faults = Counter(
            "lehr_database_faults",
            "Transactions that failed for the database: locked, full, read-only, gone, slow",
            registry=self._registry,
        )
        if SHARED not in os.environ:
            ProcessCollector(registry=self._registry)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """``route``: the template of its path, so that there are few."""
        key = method, route, status
        known = self._of_requests.get(key)
        if known is None:
            verb = method if method in _METHODS else "other"
            known = self._of_requests[key] = self._requests.labels(verb, route, str(status))
        known.observe(seconds)

    def batch(self, waits: Sequence[float], asks: Sequence[float]) -> None:
        """A lane's transaction: the wait of each of its commands, the time of each suggestion."""
        self._batches.observe(len(waits))
        for seconds in waits:
            self._waits.observe(seconds)
        for seconds in asks:
            self._asks.observe(seconds)

    def ask(self, seconds: float) -> None:
        self._asks.observe(seconds)

    def fault(self) -> None:
        self._faults.inc()

    def text(self, gauges: Sequence[GaugeMetricFamily]) -> bytes:
        """What was counted, and gauges that were read for this scrape."""
        registry = CollectorRegistry() if SHARED in os.environ else self._registry
        if registry is not self._registry:
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        given = CollectorRegistry(auto_describe=False)
        given.register(_Given(gauges))
        return generate_latest(registry) + generate_latest(given)


class _Given(Collector):
    def __init__(self, gauges: Sequence[GaugeMetricFamily]) -> None:
        self._gauges = gauges

    def collect(self) -> Sequence[GaugeMetricFamily]:
        return self._gauges
