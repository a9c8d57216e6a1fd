"""The API's metrics. A route is named by its template, never by the path that was asked for."""

from prometheus_client import Counter, Histogram
from starlette.types import Scope

REQUESTS = Counter("todoku_api_requests", "Answers by route and status", ("method", "route", "status"))
SECONDS = Histogram(
    "todoku_api_request_seconds",
    "Time to answer",
    ("method", "route"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 40),
)

_METHODS = frozenset({"GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"})


def observe(scope: Scope, status: int, seconds: float) -> None:
    """Count one answer. What no route knows counts as `other`, so that a caller can't make labels."""
    route = getattr(scope.get("route"), "path", "other")
    method = scope["method"] if scope["method"] in _METHODS else "other"
    REQUESTS.labels(method, route, str(status)).inc()
    SECONDS.labels(method, route).observe(seconds)
