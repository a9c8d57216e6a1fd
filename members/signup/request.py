"""What a form was sent, and how it is sealed until it is taken up.

    sealed = nonce (12) | ciphertext of JSON under the account's key for notes
    AAD    = account id | "signup_request" | request id

There is no member yet whose key could seal it; it is forgotten within days.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal
from uuid import UUID

import orjson

from core.errors import InvalidInput
from members.keyring import Ring
from members.sealing import unwrap, wrap

MOST_BYTES = 90_000

Asks = Literal["sign_up", "sign_in"]
"""What a form is for: to become a member, or to be mailed the way to one's own page."""


@dataclass(frozen=True, slots=True, repr=False)
class SignupRequest:
    """A form that was sent: `values` are JSON values by attribute name, `topics` those whose boxes were ticked.

    `wording` is the version of what it said, `source` the form, `origin` the IP address that it came from, `language`
    the one it was read in.
    """

    address: str
    values: Mapping[str, Any]
    topics: tuple[UUID, ...]
    wording: str
    source: str
    origin: str
    language: str
    asks: Asks = "sign_up"


def seal(request: SignupRequest, ring: Ring, request_id: UUID, nonce: bytes) -> bytes:
    """Seal a form; raise InvalidInput for one that is too large."""
    content = orjson.dumps({**asdict(request), "topics": [str(topic) for topic in request.topics]})
    if len(content) > MOST_BYTES:
        raise InvalidInput("The form is too large")
    return wrap(ring.notes, content, _aad(ring.account_id, request_id), nonce)


def unseal(sealed: bytes, ring: Ring, request_id: UUID) -> SignupRequest:
    """Open a sealed form; raise Tampered if it is not one of this request."""
    read = orjson.loads(unwrap(ring.notes, sealed, _aad(ring.account_id, request_id)))
    return SignupRequest(**{**read, "topics": tuple(map(UUID, read["topics"]))})


def _aad(account_id: UUID, request_id: UUID) -> bytes:
    return account_id.bytes + b"signup_request" + request_id.bytes
