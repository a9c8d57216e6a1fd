"""Who calls, and what that key may do."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, params

from api.keys import KeyStore
from api.scopes import SCOPES
from core import audit
from core.errors import PermissionDenied, Unauthenticated

MAX_TOKEN = 200


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated API key: whose it is and what it may do."""

    account_id: UUID
    api_key_id: UUID
    scopes: frozenset[str]

    @property
    def actor(self) -> str:
        """What the audit log calls this caller."""
        return audit.key_actor(self.api_key_id)

    def may(self, scope: str) -> bool:
        """Tell whether the key has this scope."""
        return scope in self.scopes


@dataclass(frozen=True, slots=True)
class Permission:
    """What a route asks of its caller: any one of `scopes`. The route checks it before it reads a body."""

    scopes: tuple[str, ...]

    def __call__(self) -> None:
        """Do nothing: api/route.py asked before FastAPI came to its dependencies."""

    def check(self, caller: Caller) -> None:
        """Raise PermissionDenied if the caller has none of the scopes."""
        if not caller.scopes.intersection(self.scopes):
            raise PermissionDenied(f"Needs the scope {' or '.join(self.scopes)}")


def Requires(*scopes: str) -> params.Depends:  # noqa: N802 - reads as the declaration that it is, beside each route
    """Declare which scope a route needs: any one of those named, all from the closed list."""
    strangers = set(scopes) - SCOPES.keys()
    if strangers or not scopes:
        raise ValueError(f"Unknown scopes: {sorted(strangers)}")
    # Depends' value is typed Any; it is what FastAPI wants in a route's list of dependencies.
    depends: params.Depends = Depends(Permission(scopes))
    return depends


async def authenticate(request: Request, keys: KeyStore) -> Caller:
    """Return who calls; raise Unauthenticated, in the same words for every reason there may be."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    # An absent token is looked up like any other, so that every refusal costs the same.
    key = await keys.authenticate(token[:MAX_TOKEN])
    if key is None or scheme.lower() != "bearer" or len(token) > MAX_TOKEN:
        raise Unauthenticated("Send Authorization: Bearer tdk_… with a key that is valid")
    return Caller(key.account_id, key.api_key_id, frozenset(key.scopes))


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


By = Annotated[Caller, Depends(_caller)]
"""The caller, as an endpoint's argument."""
