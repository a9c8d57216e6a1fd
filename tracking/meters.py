"""What the tracker counts."""

from collections.abc import Mapping

from prometheus_client import Counter, Gauge, Histogram

from tracking.event import KINDS, Kind

_EVENTS = Counter("todoku_tracking_events_total", "Events committed, by kind", ["kind"])
_REFUSED = Counter("todoku_tracking_events_refused_total", "Events answered with 503 and not kept, by kind", ["kind"])
SPOOLED = Counter("todoku_tracking_events_spooled_total", "Events that went to the spool, to be committed later")
SPOOL_BYTES = Gauge("todoku_tracking_spool_bytes", "Bytes in the spool of this machine")
SPOOL_AGE = Gauge("todoku_tracking_spool_age_seconds", "Age of the oldest file in the spool of this machine; 0: none")
BATCH_EVENTS = Histogram("todoku_tracking_batch_events", "Events in one batch", buckets=(1, 3, 10, 30, 100, 300, 1000))
KEEP_SECONDS = Histogram(
    "todoku_tracking_commit_seconds",
    "From a batch's first attempt to its commit, or to the disk",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1, 3, 10),
)
QUEUED = Gauge("todoku_tracking_queued_events", "Events that wait for a batch")

# Bound once: a label lookup an event would cost more than the count.
EVENTS = {kind: _EVENTS.labels(kind=kind) for kind in KINDS}
REFUSED = {kind: _REFUSED.labels(kind=kind) for kind in KINDS}


def count(committed: Mapping[Kind, int]) -> None:
    """Count events that were committed, by kind."""
    for kind, number in committed.items():
        EVENTS[kind].inc(number)
