"""Why a domain has no route. None of these bears the domain: it may be a member's own name."""

from core.errors import TodokuError


class NoSuchDomain(TodokuError):  # noqa: N818 - named by meaning, as core.errors
    """The domain does not exist, or none of its mail hosts has an address: for good (RFC 5321 section 5.1)."""

    code = "no-such-domain"
    title = "The domain takes no mail: it does not exist or has no mail host"


class NullMx(TodokuError):  # noqa: N818
    """The domain says that it takes no mail at all (RFC 7505)."""

    code = "null-mx"
    title = "The domain says that it takes no mail"


class NotResolved(TodokuError):  # noqa: N818
    """DNS gave no answer that can be relied on; it may later."""

    code = "not-resolved"
    title = "The domain can't be looked up at present"
