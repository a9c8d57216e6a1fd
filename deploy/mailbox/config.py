"""What a mailbox can be told."""

from dataclasses import dataclass
from pathlib import Path

from core.errors import ConfigurationError

LOOPBACK = "127.0.0.1"
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class MailboxConfig:
    """Where it listens, where it keeps mail, and its bounds; port 0 lets the system choose one.

    `max_bytes` bounds all mail on disk, `message_bytes` one mail, `idle_seconds` one command or one DATA;
    `slow_seconds` and `stall_seconds` are what the faults of these names take.
    """

    directory: Path
    smtp_host: str = LOOPBACK
    smtp_port: int = 8025
    http_host: str = LOOPBACK
    http_port: int = 8082
    max_bytes: int = 1000 * MEGABYTE
    message_bytes: int = 25 * MEGABYTE
    max_connections: int = 1000
    max_recipients: int = 1000
    idle_seconds: float = 300
    slow_seconds: float = 2
    stall_seconds: float = 300

    def __post_init__(self) -> None:
        """Refuse bounds that contradict each other."""
        if self.max_bytes < 2 * self.message_bytes:
            raise ConfigurationError(
                f"mailbox: max_bytes ({self.max_bytes}) must hold at least two of message_bytes ({self.message_bytes})"
            )
