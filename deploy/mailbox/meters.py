"""What the mailbox counts."""

from prometheus_client import Counter, Gauge

from deploy.mailbox.faults import FaultKind

MESSAGES = Counter("todoku_mailbox_messages_total", "Messages received and kept")
BYTES = Counter("todoku_mailbox_bytes_total", "Bytes of messages received and kept")
CONNECTIONS = Gauge("todoku_mailbox_connections", "SMTP connections open")
_FAULTS = Counter("todoku_mailbox_faults_total", "Faults played, by kind", ["fault"])

# Bound once: a label lookup a message would cost more than the count.
FAULTS = {kind: _FAULTS.labels(fault=kind.value) for kind in FaultKind}
