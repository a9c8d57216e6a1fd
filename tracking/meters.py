"""What the tracker counts."""

from prometheus_client import Counter, Gauge, Histogram

from tracking.event import KINDS

_EVENTS = Counter("todoku_tracking_events_total", "Events committed, by kind", ["kind"])
_LOST = Counter(
    "todoku_tracking_events_lost_total", "Events answered or refused without being stored, by kind", ["kind"]
)
BATCH_EVENTS = Histogram("todoku_tracking_batch_events", "Events in one batch", buckets=(1, 3, 10, 30, 100, 300, 1000))
COMMIT_SECONDS = Histogram(
    "todoku_tracking_commit_seconds",
    "From a batch's first attempt to its commit",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1, 3, 10),
)
QUEUED = Gauge("todoku_tracking_queued_events", "Events that wait for a batch")

# Bound once: a label lookup an event would cost more than the count.
EVENTS = {kind: _EVENTS.labels(kind=kind) for kind in KINDS}
LOST = {kind: _LOST.labels(kind=kind) for kind in KINDS}
