"""Two key-encryption keys while one replaces the other: everything new by the new one, everything old by either."""

from core.errors import Tampered, Unavailable
from members.kek.provider import KekProvider


class ChangingKek:
    """Wraps by `new`, unwraps by `new` or `previous`: until `todoku keys rewrap` has brought everything over."""

    def __init__(self, new: KekProvider, previous: KekProvider) -> None:
        self._new = new
        self._previous = previous
        self.fingerprint = new.fingerprint

    async def wrap(self, key: bytes, aad: bytes) -> bytes:
        """Seal `key` by the new KEK."""
        return await self._new.wrap(key, aad)

    async def unwrap(self, wrapped: bytes, aad: bytes) -> bytes:
        """Open a wrapped key by whichever KEK does; raises what the previous one says if neither."""
        try:
            return await self._new.unwrap(wrapped, aad)
        except (Tampered, Unavailable):
            # A command can't say whether it is out of order or was given what another key has wrapped.
            return await self._previous.unwrap(wrapped, aad)
