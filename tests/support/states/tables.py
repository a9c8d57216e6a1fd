"""What the tables of some runs say at one moment: read after each step, compared with what they said before it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import asyncpg

from tests.support.states.receiver import Key
from tracking import verify

# One statement, one moment, one round trip.
_READ = """
SELECT ARRAY(SELECT ROW (run_id, state) FROM run WHERE run_id = ANY ($1)) AS runs,
       ARRAY(SELECT ROW (chunk_id, run_id, state, owner, epoch, site_id, not_before <= app.now(),
                         array_to_string(coalesce(seqs, ARRAY(SELECT generate_series(first_seq, last_seq))), ' '))
             FROM chunk WHERE run_id = ANY ($1) ORDER BY chunk_id) AS chunks,
       ARRAY(SELECT ROW (run_id, seq, try, owner, chunk_id, epoch, outcome::text, reason)
             FROM intent LEFT JOIN result USING (run_id, seq, try)
             WHERE run_id = ANY ($1) ORDER BY run_id, seq, try) AS tries,
       ARRAY(SELECT ROW (run_id, seq) FROM omission WHERE run_id = ANY ($1)) AS omitted,
       ARRAY(SELECT ROW (m.run_id, m.seq)
             FROM recipient m JOIN run USING (run_id) JOIN stop s USING (account_id, member_id)
             WHERE m.run_id = ANY ($1) AND s.lifted_at IS NULL) AS stopped,
       ARRAY(SELECT ROW (run_id, kind, total) FROM tally
             UNION ALL SELECT ROW (run_id, kind, total) FROM tally_delta) AS counted,
       ARRAY(SELECT owner FROM worker WHERE reaped_at IS NOT NULL) AS reaped
"""

_MAKES_TABLE = "ON COMMIT DROP AS"


def _in_one_statement() -> str:
    """All of verify's laws and counts as one statement: its own takes temporary tables, too dear for every step."""
    made = {
        table: verify.SQL[name].partition(_MAKES_TABLE)[2]
        for name, table in (("stand", "standing"), ("cover", "covered"), ("gather", "gathered"))
    }
    assert all(made.values()), "verify makes its tables in another way: see there"
    parts = [f"SELECT '{law}' AS law, example, count FROM ({verify.SQL[law]}\n) AS {law}" for law in verify.LAWS]
    parts.append("SELECT 'stands', stands, count(*) FROM standing GROUP BY stands")
    tables = ", ".join(f"{table} AS ({statement}\n)" for table, statement in made.items())
    return f"WITH {tables}\n" + "\nUNION ALL\n".join(parts)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A row of `chunk`."""

    chunk_id: int
    run_id: UUID
    state: str
    owner: UUID | None
    epoch: int
    site_id: int | None
    due: bool
    seqs: Sequence[int]


@dataclass(frozen=True, slots=True)
class Try:
    """An intent, and its result if it has one."""

    owner: UUID
    chunk_id: int
    epoch: int
    outcome: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Tables:
    """The rows of these runs by their keys; `reaped` holds every owner that was ever retired."""

    runs: dict[UUID, str] = field(default_factory=dict)
    chunks: dict[int, Chunk] = field(default_factory=dict)
    tries: dict[Key, Try] = field(default_factory=dict)
    omitted: frozenset[tuple[UUID, int]] = frozenset()
    stopped: frozenset[tuple[UUID, int]] = frozenset()
    counted: frozenset[tuple[Any, int]] = frozenset()
    reaped: frozenset[UUID] = frozenset()

    def of(self, run_id: UUID) -> tuple[object, ...]:
        """All that verify's laws of one run depend on."""
        return (
            self.runs.get(run_id),
            [replace(one, due=False) for one in self.chunks.values() if one.run_id == run_id],
            [(key, one) for key, one in self.tries.items() if key.run_id == run_id],
            {one for one in self.omitted if one[0] == run_id},
            {one for one in self.counted if one[0][0] == run_id},
            self.reaped,
        )

    def last_tries(self) -> dict[tuple[UUID, int], Try]:
        """Each recipient's last try; keys are in order of tries."""
        return {(key.run_id, key.seq): one for key, one in self.tries.items()}

    def covered(self) -> Counter[tuple[UUID, int]]:
        """In how many chunks that are not done each recipient is."""
        return Counter((c.run_id, seq) for c in self.chunks.values() if c.state != "done" for seq in c.seqs)


async def read(connection: asyncpg.Connection, runs: list[UUID]) -> Tables:
    """Read them as they are now."""
    row = await connection.fetchrow(_READ, runs)
    assert row is not None
    return Tables(
        runs=dict(row["runs"]),
        chunks={one[0]: Chunk(*one[:-1], tuple(map(int, one[-1].split()))) for one in row["chunks"]},
        tries={Key(*one[:3]): Try(*one[3:]) for one in row["tries"]},
        omitted=frozenset(map(tuple, row["omitted"])),
        stopped=frozenset(map(tuple, row["stopped"])),
        counted=frozenset(Counter(map(tuple, row["counted"])).items()),
        reaped=frozenset(row["reaped"]),
    )


class Judge:
    """Asks verify's own statements about one run."""

    def __init__(self) -> None:
        self._statement = _in_one_statement()

    async def verdict(self, connection: asyncpg.Connection, run_id: UUID) -> tuple[list[str], Counter[str]]:
        """Return the laws that are broken, with an example each, and how many recipients are in each class."""
        broken, stands = [], Counter[str]()
        for law, example, count in await connection.fetch(self._statement, run_id):
            if law == "stands":
                stands[example] = count
            else:
                broken.append(f"{law}: {example} ({count})")
        return broken, stands
