"""Whom a connection goes to, and how long each step of a conversation may take."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import SecretStr

Tls: TypeAlias = Literal["none", "starttls", "encrypted", "starttls-required", "tls"]


@dataclass(frozen=True, slots=True)
class Peer:
    """One host to speak to: a relay, or a destination's own server.

    `host` is a name or an IP address; `server_name` the name that its certificate is to bear (default: `host`), also
    sent as SNI. `tls`: "starttls" upgrades where offered, verifies nothing, and does without where the upgrade fails
    (RFC 7435); "encrypted" must come to TLS and verifies nothing (all that a name from an unsigned MX record is good
    for); "starttls-required" and "tls" (from the first byte, RFC 8314) verify the certificate, by the system's
    authorities or those in `ca_file`. Credentials go out only under TLS, unless `tls` is "none", which is the
    operator's word that the way is safe. `local_address` is the source address to bind (None: any).
    """

    host: str
    port: int
    server_name: str | None = None
    tls: Tls = "starttls"
    username: str | None = None
    password: SecretStr | None = None
    ca_file: Path | None = None
    local_address: str | None = None


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
