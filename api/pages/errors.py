"""What a page can say no to, beside what core/errors.py knows."""

from core.errors import TodokuError


class Expired(TodokuError):  # noqa: N818 - named by meaning, as a sentence reads it
    """The link was ours and its time is over, or what it was for is done with."""

    code = "expired"
    title = "The link is not valid any more"


class TooOften(TodokuError):  # noqa: N818
    """This was asked for too often of late; `seconds` says when it may be asked for again."""

    code = "too-often"
    title = "Too many requests"

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self.seconds = seconds


class Misdirected(TodokuError):  # noqa: N818
    """A form came that we did not give out, or gave out too long ago: it may have been sent from another site."""

    code = "misdirected"
    title = "The form could not be taken"


class Unreadable(TodokuError):  # noqa: N818
    """The request is no form of ours: too large, too slow, of another kind."""

    code = "unreadable"
    title = "The request can't be read"
