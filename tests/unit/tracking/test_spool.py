import errno
import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.clock import FixedClock
from core.errors import Unavailable
from core.ids import IdSource
from tracking import spool
from tracking.batches import Batch
from tracking.event import KINDS, Event
from tracking.machines.rules import load
from tracking.spool import Spool, adopt, measure, waiting

RULES = load()
CLOCK = FixedClock(datetime(2026, 11, 26, 9, tzinfo=UTC))
NEW_ID = IdSource(CLOCK)


def spool_in(directory: Path, most_bytes: int = 1_000_000) -> Spool:
    return Spool(directory, most_bytes=most_bytes, new_id=NEW_ID)


def batch(events: int = 3) -> Batch:
    made = [Event(NEW_ID(), n, KINDS[n % 4], RULES.agent(b"Mozilla/5.0 %d" % n), n - 1) for n in range(events)]
    return Batch(NEW_ID(), made, [1_795_683_600.25 + n for n in range(events)])


def replayed(directory: Path) -> list[Batch]:
    """All that is in the spool, which is empty afterwards."""
    found = []
    while True:
        with adopt(directory, RULES) as file:
            if file is None:
                return found
            found += file.batches()
            file.remove()


@given(
    st.lists(
        st.lists(
            st.tuples(
                st.uuids(),
                st.integers(0, 2**31 - 1),
                st.sampled_from(KINDS),
                st.binary(max_size=400),
                st.integers(-1, 499),
                st.floats(0, 2**33),
            ),
            max_size=5,
        ),
        max_size=4,
    )
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_spooled_is_what_is_read_back(tmp_path_factory: pytest.TempPathFactory, rows: list[list]) -> None:
    directory = tmp_path_factory.mktemp("spool")
    batches = [
        Batch(
            NEW_ID(),
            [Event(run, seq, kind, RULES.agent(agent), link) for run, seq, kind, agent, link, _ in events],
            [round(at, 6) for *_, at in events],
        )
        for events in rows
    ]
    writer = spool_in(directory)
    for one in batches:
        writer.append(one)
    writer.close()
    assert replayed(directory) == batches
    assert measure(directory).files == 0


def test_a_file_that_is_being_written_is_nobody_elses(tmp_path: Path) -> None:
    writer, other = spool_in(tmp_path), spool_in(tmp_path)
    written = [batch(), batch()]
    writer.append(written[0])
    assert replayed(tmp_path) == []
    other.append(written[1])
    assert measure(tmp_path).files == 2
    assert writer.close()
    assert replayed(tmp_path) == written[:1]
    assert (other.close(), other.close()) == (True, False)
    assert replayed(tmp_path) == written[1:]


def test_a_file_that_one_has_taken_over_is_not_given_to_another(tmp_path: Path) -> None:
    writer = spool_in(tmp_path)
    writer.append(batch())
    writer.close()
    with adopt(tmp_path, RULES) as first, adopt(tmp_path, RULES) as second:
        assert first is not None
        assert second is None
    with adopt(tmp_path, RULES) as again:
        assert again is not None


def test_a_torn_tail_is_cut_wherever_it_was_torn(tmp_path: Path) -> None:
    writer = spool_in(tmp_path)
    written = [batch(), batch()]
    writer.append(written[0])
    whole = measure(tmp_path).bytes
    writer.append(written[1])
    writer.close()
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    for length in {whole + 1, whole + 4, whole + 19, whole + 20, len(content) - 1}:
        path.write_bytes(content[:length])
        assert replayed(tmp_path) == written[:1]
        assert list(tmp_path.iterdir()) == []


def test_damage_in_the_middle_is_set_aside_for_a_person(tmp_path: Path) -> None:
    writer = spool_in(tmp_path)
    written = [batch(), batch(), batch()]
    writer.append(written[0])
    whole = measure(tmp_path).bytes
    for one in written[1:]:
        writer.append(one)
    writer.close()
    (path,) = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    content[whole + 30] ^= 1
    path.write_bytes(content)
    assert replayed(tmp_path) == written[:1]
    extent = measure(tmp_path)
    assert (extent.files, extent.damaged, extent.bytes) == (0, 1, len(content))


def test_what_waits_is_counted_while_it_is_written_and_stays(tmp_path: Path) -> None:
    assert waiting(tmp_path) == 0
    writer = spool_in(tmp_path)
    writer.append(batch(3))
    writer.append(batch(2))
    assert waiting(tmp_path) == 5
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    assert waiting(tmp_path) == 3
    assert measure(tmp_path).files == 1


def test_a_full_spool_refuses_and_keeps_what_it_has(tmp_path: Path) -> None:
    one = batch()
    spool_in(tmp_path).append(one)
    size = measure(tmp_path).bytes
    full = spool_in(tmp_path, most_bytes=2 * size)
    full.append(one)
    with pytest.raises(Unavailable):
        full.append(one)
    full.close()
    assert replayed(tmp_path) == [one]


def test_a_disk_that_fails_refuses_and_leaves_no_half_of_a_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = spool_in(tmp_path)
    written = batch()
    writer.append(written)
    size = measure(tmp_path).bytes

    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(spool.os, "fdatasync", full)
        with pytest.raises(Unavailable):
            writer.append(batch())
    assert measure(tmp_path).bytes == size
    writer.append(batch())
    writer.close()
    assert len(replayed(tmp_path)) == 2


def test_a_large_file_is_closed_and_another_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "FILE_BYTES", 500)
    writer = spool_in(tmp_path)
    for _ in range(4):
        writer.append(batch())
    assert measure(tmp_path).files > 1
    writer.close()
    assert len(replayed(tmp_path)) == 4


def test_the_spool_tells_since_when_it_waits_and_is_private(tmp_path: Path) -> None:
    directory = tmp_path / "spool"
    assert measure(directory) == spool.Extent(0, 0, 0, None)
    spool_in(directory).append(batch())
    assert measure(directory).since == pytest.approx(CLOCK.now().timestamp(), abs=1)
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}
    assert UUID(next(directory.iterdir()).stem).version == 7


def test_a_file_that_begins_is_nobodys_to_take_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, lock, seen = spool_in(tmp_path), fcntl.flock, []

    def looked_at_before(file: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        with adopt(tmp_path, RULES) as found:
            seen.append(found)
            if found is not None:
                found.remove()
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", looked_at_before)
    made = batch()
    kept.append(made)
    kept.close()
    assert seen == [None]
    assert [one.batch_id for one in replayed(tmp_path)] == [made.batch_id]
