"""`todoku verify`, as an operator runs it, where events wait on this machine."""

from pathlib import Path

import asyncpg
import orjson

from core.clock import SystemClock
from core.ids import IdSource
from tests.support.command_line import todoku
from tests.support.runs import make_run
from tracking.batches import Batch
from tracking.event import Event
from tracking.machines import rules
from tracking.spool import Spool


async def test_verify_says_what_waits_in_the_spool_and_fails_where_it_is_damaged(
    settings: dict[str, object], main: asyncpg.Pool, tmp_path: Path
) -> None:
    new_id = IdSource(SystemClock())
    run = await make_run(main, new_id)
    opened = [Event(run.run_id, seq, "open", rules.load().agent(b"")) for seq in (1, 2)]
    spool = Spool(tmp_path / "spool", most_bytes=1_000_000, new_id=new_id)
    spool.append(Batch(new_id(), opened, [0.0, 0.0]))
    done = todoku("verify", "--json", **settings)
    assert (done.returncode, orjson.loads(done.stdout)["spool"]) == (0, {"events": 2, "damaged": 0})
    assert "2 events wait" in todoku("verify", **settings).stderr
    spool.close()
    [path] = (tmp_path / "spool").iterdir()
    path.rename(path.with_suffix(".damaged"))
    done = todoku("verify", "--json", **settings)
    found = orjson.loads(done.stdout)
    assert (done.returncode, found["ok"], found["spool"]) == (1, False, {"events": 0, "damaged": 1})
