"""Where forms are handed in: sealed and added, the same statement for every address."""

import os
from collections.abc import Callable
from uuid import UUID

import asyncpg

from core import sql
from members.keyring import KeyRings
from members.sealing import NONCE_BYTES
from members.signup.request import SignupRequest, seal

SQL = sql.load(__package__ or "", "desk.sql")


class SignupDesk:
    """`vault` is a pool of a role that may add requests, and need not read them. `random` returns n random bytes."""

    def __init__(
        self,
        vault: asyncpg.Pool,
        rings: KeyRings,
        new_id: Callable[[], UUID],
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._vault = vault
        self._rings = rings
        self._new_id = new_id
        self._random = random

    async def hand_in(self, account_id: UUID, request: SignupRequest) -> None:
        """Add a form. Raises NotFound for an account without keys."""
        ring, request_id = await self._rings.ring(account_id), self._new_id()
        sealed = seal(request, ring, request_id, self._random(NONCE_BYTES))
        await self._vault.execute(SQL["hand_in"], request_id, account_id, sealed)
