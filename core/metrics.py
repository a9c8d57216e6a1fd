"""Prometheus metrics: every process serves its own on one loopback port.

Multi-process files are not used: prometheus-client's keep the gauges of dead workers. Totals that must equal a report
come from the tables, not from here.
"""

from collections.abc import Callable

from prometheus_client import REGISTRY, start_http_server

LOOPBACK = "127.0.0.1"


def serve(port: int) -> Callable[[], None]:
    """Serve /metrics on loopback `port` (0 turns it off); return what stops it."""
    if port == 0:
        return lambda: None
    server, thread = start_http_server(port, addr=LOOPBACK, registry=REGISTRY)

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join(timeout=1)

    return stop
