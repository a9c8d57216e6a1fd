"""Where mail goes out, and how long each step of a conversation may take."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import SecretStr

Tls: TypeAlias = Literal["none", "starttls", "starttls-required", "tls"]


@dataclass(frozen=True, slots=True)
class Relay:
    """One relay and its limits for this process.

    `tls`: "starttls" upgrades where offered and verifies nothing (RFC 7435); "starttls-required" and "tls" (from the
    first byte, RFC 8314) verify the certificate against `host`, by the system's authorities or those in `ca_file`.
    Credentials go out only under TLS, unless `tls` is "none", which is the operator's word that the way is safe.
    """

    host: str
    port: int
    username: str | None = None
    password: SecretStr | None = None
    tls: Tls = "starttls"
    connections: int = 10
    messages_per_connection: int = 1_000
    weight: int = 1
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. Shorter than RFC 5321 section 4.5.3.2 allows, since a stalled connection holds a slot.

    A final dot that is given up is an uncertain delivery: `final` is not the place to be impatient.
    """

    connect: float = 30.0  # TCP and a TLS handshake from the first byte; the greeting gets as much again
    ehlo: float = 30.0  # each of EHLO, STARTTLS with its handshake, and every step of AUTH
    envelope: float = 60.0  # RSET, MAIL and RCPT, to the last reply
    data: float = 60.0  # from RCPT's reply to the 354
    body: float = 180.0  # until the peer has taken in all but the last 64 KiB of the body
    final: float = 60.0  # from there to the reply
    quit: float = 2.0
