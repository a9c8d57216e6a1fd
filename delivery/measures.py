"""The dispatcher's Prometheus metrics, with their label children bound once."""

from prometheus_client import Counter, Histogram

from delivery.replies.verdict import Verdict

_results = Counter("todoku_results_total", "Tries settled, by outcome and reason.", ["outcome", "reason"])
_claims = Counter("todoku_chunks_claimed_total", "Chunks claimed.")
_stopped = Counter("todoku_stopped_total", "Recipients left out at the intent because of a stop.")
_intend = Histogram(
    "todoku_intend_seconds", "One intent statement.", buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5)
)
_latency = Histogram(
    "todoku_message_seconds", "From the claim to the result.", buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
)


class Measures:
    """What one dispatcher counts; `begun` is the number of messages that a connection has taken up."""

    def __init__(self) -> None:
        self.begun = 0
        self.claimed = _claims
        self.stopped = _stopped
        self.intend_seconds = _intend
        self._bound: dict[Verdict, Counter] = {}

    def settled(self, verdict: Verdict, seconds: float) -> None:
        """Count one settled try that took `seconds` since its chunk was claimed."""
        counter = self._bound.get(verdict)
        if counter is None:
            counter = self._bound[verdict] = _results.labels(verdict.outcome, verdict.reason.value)
        counter.inc()
        _latency.observe(seconds)
