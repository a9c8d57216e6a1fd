"""Optimistic locking over HTTP: an ETag is a thing's revision, a change must name the one that it was made to."""

import re
from typing import Annotated

from fastapi import Depends, Header, Response

from api.errors import PreconditionRequired
from core.errors import Fault, StaleRevision

_ETAG = re.compile(r'"([1-9][0-9]{0,8})"')


def tag(response: Response, revision: int) -> None:
    """Put the ETag of a revision on an answer (RFC 9110 section 8.8.3)."""
    response.headers["ETag"] = f'"{revision}"'


def _if_match(
    if_match: Annotated[str | None, Header(description="The ETag of what was read", examples=['"3"'])] = None,
) -> int:
    if if_match is None:
        fault = Fault("/header/if-match", "missing", "Send the ETag that the read had")
        raise PreconditionRequired(faults=[fault])
    found = _ETAG.fullmatch(if_match.strip())
    if found is None:
        # An ETag that we never gave matches nothing (section 13.1.1).
        raise StaleRevision("Read it again; the ETag sent is not its present one")
    return int(found[1])


IfMatch = Annotated[int, Depends(_if_match)]
"""The revision that a PATCH was made to: 428 without one, 412 for one that never was."""
