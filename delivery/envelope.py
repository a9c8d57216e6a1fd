"""What one recipient is sent: the envelope and the finished message."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message to one recipient, ready for SMTP (RFC 5321 section 2.3.1).

    `message` has CRLF line ends, ends in CRLF and is not dot-stuffed: the transaction does that.
    `smtputf8` is true where an address or a header field holds more than ASCII (RFC 6531), so that only
    a peer that offers SMTPUTF8 may be given it.
    """

    return_path: str
    recipient: str
    message: bytes
    smtputf8: bool
