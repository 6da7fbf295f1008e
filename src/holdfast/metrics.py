"""What Holdfast measures of itself, for Prometheus, with no label of an organisation (docs/how-to/operate.md)."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()
"""The registry that `/metrics` shows."""

COMMANDS = Counter("holdfast_commands", "Commands by kind and outcome", ["kind", "outcome"], registry=REGISTRY)
BATCH_SIZE = Histogram(
    "holdfast_batch_size",
    "Commands in one transaction",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
    registry=REGISTRY,
)
ROUNDS = Histogram(
    "holdfast_batch_rounds",
    "How often a transaction was begun until it had locked all levels that its commands need",
    buckets=(1, 2, 3, 4, 6, 8, 12),
    registry=REGISTRY,
)
COMMIT_SECONDS = Histogram(
    "holdfast_commit_seconds",
    "Seconds from the last writes to the commit of a batch",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5),
    registry=REGISTRY,
)
QUEUE_DEPTH = Gauge("holdfast_queue_depth", "Commands waiting for a batch", registry=REGISTRY)
QUEUE_AGE = Gauge("holdfast_queue_age_seconds", "Age of the oldest command of the last batch", registry=REGISTRY)
ACTIVE_HOLDS = Gauge("holdfast_active_holds", "Reservations that are active", registry=REGISTRY)
BACKORDERED_UNITS = Gauge("holdfast_backordered_units", "Smallest units promised without stock", registry=REGISTRY)
EXPIRED_HOLDS = Gauge("holdfast_expired_holds_waiting", "Expired holds that are not released yet", registry=REGISTRY)
RETRIES = Counter("holdfast_batch_retries", "Batches tried again, by reason", ["reason"], registry=REGISTRY)
