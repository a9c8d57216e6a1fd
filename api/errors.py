"""What can be wrong with a request as such: errors that only HTTP knows."""

from core.errors import Conflict, InvalidInput, TodokuError


class MalformedRequest(InvalidInput):
    """The request can't be read: not JSON, not multipart, a broken header."""

    code = "malformed-request"
    title = "The request can't be read"


class UnsupportedMediaType(MalformedRequest):
    """The body is of a kind that this resource does not take."""

    code = "unsupported-media-type"
    title = "This resource does not take this kind of body"


class MethodNotAllowed(TodokuError):  # noqa: N818 - named by meaning, as a sentence reads it
    """The resource is there and does not know this method."""

    code = "method-not-allowed"
    title = "This resource does not know this method"


class PreconditionRequired(InvalidInput):
    """A change must say which revision it is made to."""

    code = "precondition-required"
    title = "If-Match is needed: send the ETag of what you read"


class KeyReused(InvalidInput):
    """An Idempotency-Key came again with another request."""

    code = "idempotency-key-reused"
    title = "This Idempotency-Key was used for another request"


class StillRunning(Conflict):
    """The first request with this Idempotency-Key is not answered yet."""

    code = "idempotency-in-progress"
    title = "The first request with this Idempotency-Key is still at work"


class RequestTimeout(TodokuError):  # noqa: N818
    """The body came too slowly."""

    code = "request-timeout"
    title = "The request took too long to arrive"


class DeadlinePassed(TodokuError):  # noqa: N818
    """The work took longer than a request may."""

    code = "deadline-passed"
    title = "The request took too long to answer"
