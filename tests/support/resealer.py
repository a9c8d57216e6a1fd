"""A process that re-seals one account and can be killed: `python -m tests.support.resealer DSN ACCOUNT BATCH KEK`.

It says `ready` and begins when it reads a line or its input ends; then it says `done` and waits so once more.
"""

import sys
from uuid import UUID

import uvloop

from core.database import close_pool, open_pool
from deploy.process import collect_seldom
from members.kek import Kek
from members.keyring import KeyRings
from members.resealing import reseal, run


async def main(dsn: str, account: str, batch: str, kek: str) -> None:
    """Re-seal the account to the end. `kek`: 32 bytes in hexadecimal."""
    collect_seldom()  # as every service process does
    run.BATCH = int(batch)
    pool = await open_pool(dsn, name="resealer", max_size=6)
    rings = KeyRings(pool, Kek(bytes.fromhex(kek)))
    _say("ready")
    await reseal(pool, rings, UUID(account), lambda: True)
    _say("done")
    await close_pool(pool)


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()
    sys.stdin.readline()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
