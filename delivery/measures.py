"""The dispatcher's Prometheus metrics, with their label children bound once."""

from prometheus_client import Counter, Histogram

from delivery.replies.verdict import Verdict

_results = Counter(
    "todoku_results_total",
    "Tries settled, by outcome and reason, by the way out and the receiver.",
    ["outcome", "reason", "source", "provider"],
)
_claims = Counter("todoku_chunks_claimed_total", "Chunks claimed.")
_stopped = Counter("todoku_stopped_total", "Recipients left out at the intent because of a stop.")
_intend = Histogram(
    "todoku_intend_seconds", "One intent statement.", buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5)
)
_latency = Histogram(
    "todoku_message_seconds", "From the claim to the result.", buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
)


class Measures:
    """What one dispatcher counts."""

    def __init__(self) -> None:
        self.claimed = _claims
        self.stopped = _stopped
        self.intend_seconds = _intend
        self._bound: dict[tuple[Verdict, str, str], Counter] = {}

    def settled(self, verdict: Verdict, source: str, provider: str, seconds: float) -> None:
        """Count one settled try that took `seconds` since its chunk was claimed."""
        key = verdict, source, provider
        counter = self._bound.get(key)
        if counter is None:
            counter = self._bound[key] = _results.labels(verdict.outcome, verdict.reason.value, source, provider)
        counter.inc()
        _latency.observe(seconds)
