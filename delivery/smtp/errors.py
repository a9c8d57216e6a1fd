"""What can go wrong between us and a peer, typed by what it means for the message.

None carries an address, a host's text or a credential; a peer's own words stay in the `Reply`.
"""

from enum import StrEnum

from core.errors import TodokuError
from delivery.replies.reply import Reply


class Failure(StrEnum):
    """How a connection or a transaction came to its end without a reply."""

    LOST = "lost"  # closed or reset by the peer
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"  # out of order, malformed or over a bound: the peer can't be trusted any further
    REFUSED = "refused"  # the peer answered, and it was a no: see `reply`
    TLS = "tls"  # no TLS where it is required, or a certificate that does not verify
    AUTHENTICATION = "authentication"  # no way to authenticate that both sides know, or none that is safe
    LOCAL = "local"  # of our own: the source address is not ours, no file descriptor is left, the network is down
    ABORTED = "aborted"  # by us: closed or cancelled, or a caller's own fault


class ConnectFailed(TodokuError):  # noqa: N818 - named by meaning, as core.errors
    """No usable connection. `reply` is the peer's refusal, if it gave one. No message is to blame."""

    code = "connect-failed"
    title = "The peer could not be used"

    def __init__(self, failure: Failure, reply: Reply | None = None) -> None:
        super().__init__(f"{self.title}: {failure}")
        self.failure = failure
        self.reply = reply


class NotStarted(TodokuError):  # noqa: N818
    """The transaction ended before the first byte of the body was written: nothing was sent, trying again is safe."""

    code = "not-started"
    title = "The message was not started"

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{self.title}: {failure}")
        self.failure = failure


class OutcomeUnknown(TodokuError):  # noqa: N818
    """The body was begun and no final reply came: delivered or not, nobody can tell (RFC 1047)."""

    code = "outcome-unknown"
    title = "The outcome is not known"

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{self.title}: {failure}")
        self.failure = failure


class Obstacle(StrEnum):
    """What keeps an envelope from being put on this connection."""

    RETURN_PATH = "return_path"  # not a mailbox that may stand in a MAIL command
    RECIPIENT = "recipient"  # not a mailbox that may stand in a RCPT command
    SMTPUTF8 = "smtputf8"  # needs SMTPUTF8 (RFC 6531), which the peer does not offer
    EIGHT_BIT = "8bitmime"  # needs 8BITMIME (RFC 6152), which the peer does not offer
    TOO_LARGE = "too_large"  # over the size that the peer takes (RFC 1870)
    UNFINISHED = "unfinished"  # no CRLF at the end: the final dot would not be seen


class Unsendable(TodokuError):  # noqa: N818
    """The envelope may not go out as it is; found before a byte was written, the connection stays usable."""

    code = "unsendable"
    title = "The message can't be sent"

    def __init__(self, obstacle: Obstacle) -> None:
        super().__init__(f"{self.title}: {obstacle}")
        self.obstacle = obstacle
