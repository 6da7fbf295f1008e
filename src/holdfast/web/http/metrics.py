"""What the web measures, in the registry of all of Holdfast: requests by route and status, and their duration."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from holdfast.metrics import REGISTRY

REQUESTS = Counter("holdfast_http_requests", "Requests by route and status", ["route", "status"], registry=REGISTRY)
REQUEST_SECONDS = Histogram(
    "holdfast_http_request_seconds",
    "Seconds from the first byte of a request to its answer",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 10),
    registry=REGISTRY,
)
STREAMS = Gauge("holdfast_event_streams", "Open event streams", registry=REGISTRY)

_children: dict[tuple[str, int], tuple[Counter, Histogram]] = {}


def measure(route: str, status: int, seconds: float) -> None:
    """Count one answered request; `route` is its name in the route table, so there are few."""
    found = _children.get((route, status))
    if found is None:
        found = (REQUESTS.labels(route, str(status)), REQUEST_SECONDS.labels(route))
        _children[route, status] = found
    found[0].inc()
    found[1].observe(seconds)
