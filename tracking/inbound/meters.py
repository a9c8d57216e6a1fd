"""What inbound counts. Counted are mails; what they come to stands in the tables."""

from prometheus_client import Counter, Gauge, Histogram

CONNECTIONS = Gauge("todoku_inbound_connections", "SMTP connections open now")
REFUSED = Counter("todoku_inbound_refused_total", "Connections and commands refused, by why", ["why"])
MAILS = Counter("todoku_inbound_mails_total", "Mails answered with 250, by what they were", ["outcome"])
DEFERRED = Counter("todoku_inbound_deferred_total", "Mails left to their sender (4xx), by why", ["why"])
KEPT_BYTES = Gauge("todoku_inbound_kept_bytes", "Bytes of mail that waits for a person")
SECONDS = Histogram(
    "todoku_inbound_seconds",
    "From a mail's last byte to its answer",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1, 3, 10, 30),
)
