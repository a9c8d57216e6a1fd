import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest

from delivery.journal import Journal, JournalContent, abandoned, read
from delivery.replies.verdict import ACCEPTED, UNCERTAIN, Reason, Verdict

RUN = UUID("01890000-0000-7000-8000-000000000001")
OWNER = UUID("01890000-0000-7000-8000-0000000000aa")
BOOT = "956f45e5-dfed-468e-b652-1bbab71cb18a"
OTHER_BOOT = "00000000-dfed-468e-b652-1bbab71cb18a"
RECORD = 54

WRITER = f"""
import sys
from pathlib import Path
from uuid import UUID
from delivery.journal import Journal
from delivery.replies.verdict import ACCEPTED
journal = Journal.create(Path(sys.argv[1]), owner=UUID("{OWNER}"), boot_id="{BOOT}", limit=20_000)
run = UUID("{RUN}")
seq = 0
while True:
    journal.start(run, seq, 1)
    if seq % 2 == 0:
        journal.outcome(run, seq, 1, ACCEPTED, 250)
    if seq % 100 == 0:
        print(seq, flush=True)  # before settling: what was told last is never compacted away
        journal.settle((run, settled, 1) for settled in range(max(0, seq - 200), seq - 50))
    seq += 1
"""


def content_of(path: Path, boot_id: str = BOOT) -> JournalContent:
    content = read(path, boot_id)
    assert content is not None
    return content


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal.create(tmp_path, owner=OWNER, boot_id=BOOT)


def test_what_was_noted_is_read_back(tmp_path: Path, journal: Journal) -> None:
    refused = Verdict("failed", Reason.NO_SUCH_USER, suppress=True)
    journal.start(RUN, 1, 1)
    journal.start(RUN, 2**40, 7)
    journal.outcome(RUN, 1, 1, ACCEPTED, 250)
    journal.outcome(RUN, 3, 1, refused, 550)
    journal.outcome(RUN, 4, 1, UNCERTAIN)
    journal.close(remove=False)
    content = content_of(tmp_path / f"{OWNER}.journal")
    assert (content.owner, content.boot_id, content.trusted) == (OWNER, BOOT, True)
    assert content.started == {(RUN, 1, 1), (RUN, 2**40, 7)}
    assert content.outcomes == {
        (RUN, 1, 1): ("accepted", Reason.ACCEPTED, 250, False),
        (RUN, 3, 1): ("failed", Reason.NO_SUCH_USER, 550, True),
        (RUN, 4, 1): ("uncertain", Reason.CONNECTION_LOST, None, False),
    }


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_fits_a_record(tmp_path: Path, journal: Journal, reason: Reason) -> None:
    journal.outcome(RUN, 1, 1, Verdict("deferred", reason), 451)
    assert content_of(tmp_path / f"{OWNER}.journal").outcomes[RUN, 1, 1].reason is reason
    journal.close(remove=True)


def test_a_live_owners_journal_is_left_alone(tmp_path: Path, journal: Journal) -> None:
    assert list(abandoned(tmp_path)) == []
    journal.close(remove=False)
    assert [found.path.name for found in abandoned(tmp_path) if found.__exit__(None, None, None) is None] == [
        f"{OWNER}.journal"
    ]


def test_an_abandoned_journal_is_held_by_one_reader_and_gone_once_removed(tmp_path: Path, journal: Journal) -> None:
    journal.start(RUN, 1, 1)
    journal.close(remove=False)
    for found in abandoned(tmp_path):
        with found:
            assert list(abandoned(tmp_path)) == []
            content = found.read(BOOT)
            assert content is not None
            assert content.started == {(RUN, 1, 1)}
            found.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_journal_closed_in_order_leaves_nothing(tmp_path: Path, journal: Journal) -> None:
    journal.close(remove=True)
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_for_its_owner_only(tmp_path: Path, journal: Journal) -> None:
    assert (tmp_path / f"{OWNER}.journal").stat().st_mode & 0o777 == 0o600
    journal.close(remove=True)


@pytest.mark.parametrize("torn", [1, RECORD // 2, RECORD - 1])
def test_a_torn_last_record_is_ignored(tmp_path: Path, journal: Journal, torn: int) -> None:
    journal.start(RUN, 1, 1)
    journal.start(RUN, 2, 1)
    journal.close(remove=False)
    path = tmp_path / f"{OWNER}.journal"
    os.truncate(path, path.stat().st_size - torn)
    content = content_of(path)
    assert (content.started, content.trusted) == ({(RUN, 1, 1)}, True)


def test_damage_in_the_middle_costs_the_trust_and_only_its_own_record(tmp_path: Path, journal: Journal) -> None:
    for seq in (1, 2, 3):
        journal.start(RUN, seq, 1)
    journal.close(remove=False)
    path = tmp_path / f"{OWNER}.journal"
    raw = bytearray(path.read_bytes())
    raw[-2 * RECORD + 8] ^= 1
    path.write_bytes(raw)
    content = content_of(path)
    assert (content.started, content.trusted) == ({(RUN, 1, 1), (RUN, 3, 1)}, False)


def test_after_a_reboot_an_absent_start_proves_nothing(tmp_path: Path, journal: Journal) -> None:
    journal.close(remove=False)
    assert not content_of(tmp_path / f"{OWNER}.journal", OTHER_BOOT).trusted


@pytest.mark.parametrize("content", [b"", b"todoku", b"x" * 200])
def test_what_is_no_journal_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.journal"
    path.write_bytes(content)
    assert read(path, BOOT) is None


def test_a_journal_over_its_limit_keeps_only_what_is_not_settled(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path, owner=OWNER, boot_id=BOOT, limit=5_000)
    for seq in range(1_000):
        journal.start(RUN, seq, 1)
        journal.outcome(RUN, seq, 1, ACCEPTED, 250)
        if seq >= 10:
            journal.settle([(RUN, seq - 10, 1)])
    path = tmp_path / f"{OWNER}.journal"
    assert path.stat().st_size == journal.size <= 5_000
    assert set(content_of(path).outcomes) >= {(RUN, seq, 1) for seq in range(990, 1_000)}
    assert list(abandoned(tmp_path)) == []
    journal.outcome(RUN, 5_000, 1, UNCERTAIN)
    assert (RUN, 5_000, 1) in content_of(path).outcomes
    journal.close(remove=True)


def test_a_writer_killed_in_mid_write_leaves_all_that_it_had_noted(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert list(abandoned(tmp_path)) == []
        told = 0
        while told < 5_000:
            told = int(writer.stdout.readline())
            assert list(abandoned(tmp_path)) == []
        writer.kill()
        writer.wait()
        told = int((writer.stdout.read().splitlines() or [str(told)])[-1])
    (found,) = abandoned(tmp_path)
    with found:
        content = found.read(BOOT)
        assert content is not None
        found.remove()
    assert content.trusted
    unsettled = range(told - 49, told + 1)
    assert {seq for _, seq, _ in content.started} >= set(unsettled)
    assert {seq for _, seq, _ in content.outcomes} >= {seq for seq in unsettled if seq % 2 == 0}
    assert list(tmp_path.glob("*.journal")) == []
