"""Domain errors: typed by meaning, knowing nothing of HTTP.

An error's text and fields never hold an address, a name or a secret: they end up in logs and in answers
to people who may not read them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with an input: where (JSON pointer, RFC 6901), a stable code, a sentence."""

    pointer: str
    code: str
    detail: str


class TodokuError(Exception):
    """The root of all errors that Todoku raises on purpose."""

    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, detail: str = "", faults: Sequence[Fault] = ()) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.faults = tuple(faults)


class InvalidInput(TodokuError):  # noqa: N818 - named by meaning, as a sentence reads it
    """The request can't be understood or breaks a rule; every fault is listed at once."""

    code = "invalid-input"
    title = "The input is not valid"


class TooLarge(InvalidInput):
    """The input is over a stated bound."""

    code = "too-large"
    title = "The input is too large"


class NotFound(TodokuError):  # noqa: N818
    """There is no such thing, or it belongs to another account."""

    code = "not-found"
    title = "Not found"


class Conflict(TodokuError):  # noqa: N818
    """The thing's present state does not allow this."""

    code = "conflict"
    title = "The current state does not allow this"


class StaleRevision(Conflict):
    """The thing was changed since the caller read it."""

    code = "stale-revision"
    title = "It was changed in the meantime"


class Gone(TodokuError):  # noqa: N818
    """It was there, and is not kept any more."""

    code = "gone"
    title = "Not kept any more"


class Unauthenticated(TodokuError):  # noqa: N818
    """No valid credentials."""

    code = "unauthenticated"
    title = "A valid API key is needed"


class PermissionDenied(TodokuError):  # noqa: N818
    """The credentials are valid and do not allow this."""

    code = "permission-denied"
    title = "This API key may not do that"


class Unavailable(TodokuError):  # noqa: N818
    """A part that is needed is away just now; trying again later is right."""

    code = "unavailable"
    title = "Temporarily unavailable"


class Tampered(TodokuError):  # noqa: N818
    """A token or a ciphertext is not what we made."""

    code = "tampered"
    title = "Not authentic"


class ConfigurationError(TodokuError):
    """The start is refused: a setting, a key file or a directory is not usable."""

    code = "configuration"
    title = "The configuration is not usable"


class Superseded(TodokuError):  # noqa: N818
    """A lease was lost: another process now owns the work, this one must drop it."""

    code = "superseded"
    title = "The lease was lost"
