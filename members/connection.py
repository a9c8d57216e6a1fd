"""What a function that reads or writes in its caller's transaction asks for: a connection, or a pool that lends one."""

from typing import TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

Lent: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
Connection: TypeAlias = "Lent | asyncpg.Pool[asyncpg.Record]"
