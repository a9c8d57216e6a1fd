"""Ids: UUIDv7 made by the application (RFC 9562 section 5.7), shown outside with their kind in front.

Time-ordered ids keep the newest rows together in an index and let big tables be partitioned by id.
"""

import os
from collections.abc import Callable
from uuid import UUID

from asyncpg.pgproto.pgproto import UUID as PgUUID  # noqa: N811 - two classes of one name

from core.clock import Clock
from core.errors import NotFound

# Crockford's alphabet in lower case: no i, l, o, u, and its order is the order of the values.
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES = {letter: value for value, letter in enumerate(ALPHABET)}
_LENGTH = 26
_TIME_BITS = 48
_LOW_BITS = (1 << 62) - 1


def uuid7(unix_ms: int, random: bytes) -> UUID:
    """Make a UUIDv7 of `unix_ms` (milliseconds, 48 bits) and 10 random bytes (74 bits of them are used)."""
    bits = int.from_bytes(random, "big") & ((1 << 80) - 1)
    rand_a, rand_b = bits >> 68, bits & ((1 << 62) - 1)
    return UUID(int=(unix_ms << 80) | (0x7 << 76) | (rand_a << 64) | (0b10 << 62) | rand_b)


class IdSource:
    """Makes ids that strictly increase within this process.

    `random` returns n random bytes. Within one millisecond the 74 random bits are counted up from a random
    start (RFC 9562 section 6.2, method 2), so that order holds and guessing does not pay.
    """

    def __init__(self, clock: Clock, random: Callable[[int], bytes] = os.urandom) -> None:
        self._clock = clock
        self._random = random
        self._ms = -1
        self._tail = 0

    def __call__(self) -> UUID:
        """Return the next id."""
        ms = int(self._clock.now().timestamp() * 1000)
        if ms > self._ms:
            self._ms = ms
            # The top bit stays free so that counting up cannot overflow within a millisecond.
            self._tail = int.from_bytes(self._random(10), "big") & ((1 << 73) - 1)
        else:
            self._tail += 1 + self._random(1)[0]
        rand_a, rand_b = self._tail >> 62, self._tail & ((1 << 62) - 1)
        return UUID(int=(self._ms << 80) | (0x7 << 76) | (rand_a << 64) | (0b10 << 62) | rand_b)

    def many(self, count: int) -> list[UUID]:
        """Return the next `count` ids in order, all of one millisecond.

        They are of asyncpg's own class of UUIDs, which is made and sent at a fraction of the cost.
        """
        if not count:
            return []
        first = self()
        tail, head = self._tail, (self._ms << 80) | (0x7 << 76) | (0b10 << 62)
        made: list[UUID] = [first]
        for step in self._random(count - 1):
            tail += 1 + step
            bits = head | (tail >> 62 << 64) | (tail & _LOW_BITS)
            made.append(PgUUID(bits.to_bytes(16, "big")))
        self._tail = tail
        return made


def encode(kind: str, value: UUID) -> str:
    """Show an id outside: its kind, an underscore, 26 characters of base32."""
    number = value.int
    letters = []
    for _ in range(_LENGTH):
        letters.append(ALPHABET[number & 31])
        number >>= 5
    return f"{kind}_{''.join(reversed(letters))}"


def decode(kind: str, text: str) -> UUID:
    """Read an id of this kind; any other text raises NotFound, as a wrong kind is a thing that is not there."""
    prefix, _, letters = text.partition("_")
    if prefix != kind or len(letters) != _LENGTH:
        raise NotFound("No such id")
    number = 0
    for letter in letters:
        value = _VALUES.get(letter)
        if value is None:
            raise NotFound("No such id")
        number = (number << 5) | value
    if number >> 128:
        raise NotFound("No such id")
    return UUID(int=number)
