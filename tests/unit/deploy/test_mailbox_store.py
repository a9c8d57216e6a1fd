"""Mail on disk: kept, bounded, and there again after any end."""

import resource
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.errors import ConfigurationError, Unavailable
from deploy.mailbox.store import MailStore

AT = datetime(2026, 4, 1, 12, 30, 45, 123456, tzinfo=UTC)
MESSAGE = b"Subject: x\r\n\r\n" + b"y" * 1000 + b"\r\n"


def opened(directory: Path, max_bytes: int = 1_000_000, segment_bytes: int = 10_000) -> MailStore:
    return MailStore(directory, max_bytes=max_bytes, segment_bytes=segment_bytes)


def put(store: MailStore, count: int = 1, message: bytes = MESSAGE) -> list[int]:
    return [
        store.append(mail_from="a@x.test", rcpt_to=["b@x.test", "届@x.test"], peer="127.0.0.1", at=AT, message=message)
        for _ in range(count)
    ]


def ids(store: MailStore) -> list[int]:
    return [entry.id for entry, _ in store.after(0, 10_000)]


def test_a_mail_comes_back_as_it_went_in(tmp_path: Path) -> None:
    store = opened(tmp_path)
    assert put(store, 2) == [1, 2]
    found = store.get(2)
    assert found is not None
    entry, message = found
    assert message == MESSAGE
    assert (entry.id, entry.received_at, entry.mail_from) == (2, AT, "a@x.test")
    assert (entry.rcpt_to, entry.peer, entry.size) == (("b@x.test", "届@x.test"), "127.0.0.1", len(MESSAGE))
    assert store.get(3) is None
    assert store.get(0) is None


def test_mail_is_there_again_after_a_restart_and_ids_go_on(tmp_path: Path) -> None:
    store = opened(tmp_path)
    put(store, 35)
    store.close()
    again = opened(tmp_path)
    assert len(list(tmp_path.glob("*.mail"))) > 1
    assert ids(again) == list(range(1, 36))
    assert put(again) == [36]
    assert again.count == 36


@pytest.mark.parametrize("kept_bytes", [1, 20, 60, 600])
def test_a_torn_last_record_is_cut_off_and_the_rest_stays(tmp_path: Path, kept_bytes: int) -> None:
    store = opened(tmp_path)
    put(store, 3)
    store.close()
    whole = next(tmp_path.glob("*.mail"))
    content = whole.read_bytes()
    whole.write_bytes(content[: len(content) // 3 * 2 + kept_bytes])
    again = opened(tmp_path)
    assert ids(again) == [1, 2]
    assert put(again) == [3]
    again.close()
    assert ids(opened(tmp_path)) == [1, 2, 3]


def test_a_damaged_record_hides_only_what_follows_in_its_file(tmp_path: Path) -> None:
    store = opened(tmp_path)
    put(store, 20)
    store.close()
    first, second, *_ = sorted(tmp_path.glob("*.mail"))
    content = bytearray(first.read_bytes())
    start = content.index(b"TDM1", 3000)
    content[start] ^= 0xFF
    first.write_bytes(content)
    again = opened(tmp_path)
    later = int(second.stem)
    assert ids(again)[-1] == 20
    assert set(range(later, 21)) <= set(ids(again))
    assert {1, 2} <= set(ids(again))
    assert len(ids(again)) < 20
    assert [entry.id for entry, _ in again.before(10**9)] == ids(again)[::-1]


def test_the_oldest_mail_makes_room_for_the_newest(tmp_path: Path) -> None:
    store = opened(tmp_path, max_bytes=50_000)
    put(store, 200)
    assert store.size <= 50_000
    assert sum(path.stat().st_size for path in tmp_path.glob("*.mail")) == store.size
    assert ids(store)[-1] == 200
    assert 30 <= store.count < 60
    assert store.get(1) is None


def test_a_mail_larger_than_a_segment_gets_one_of_its_own(tmp_path: Path) -> None:
    store = opened(tmp_path, max_bytes=100_000)
    put(store, 5)
    large = b"z" * 50_000
    number = put(store, message=large)[0]
    put(store)
    found = store.get(number)
    assert found is not None
    assert found[1] == large
    assert store.size <= 100_000


def test_clearing_drops_all_mail_and_ids_go_on_even_after_a_restart(tmp_path: Path) -> None:
    store = opened(tmp_path)
    put(store, 20)
    store.clear()
    assert (store.count, store.size, store.last_id, ids(store)) == (0, 0, 20, [])
    store.clear()
    store.close()
    again = opened(tmp_path)
    assert put(again) == [21]
    assert ids(again) == [21]


def test_a_reader_goes_on_while_the_mailbox_is_cleared(tmp_path: Path) -> None:
    store = opened(tmp_path)
    put(store, 20)
    reading = store.before(10**9)
    assert next(reading)[0].id == 20
    store.clear()
    assert [entry.id for entry, _ in reading] == list(range(19, 0, -1))


def test_reading_on_sees_what_came_meanwhile(tmp_path: Path) -> None:
    store = opened(tmp_path)
    put(store)
    reading = store.after(0, 10)
    assert next(reading)[0].id == 1
    put(store)
    assert [entry.id for entry, _ in reading] == [2]


def test_a_long_envelope_does_not_hide_a_mail_from_the_list(tmp_path: Path) -> None:
    store = opened(tmp_path)
    many = [f"member-{number}@example.test" for number in range(1000)]
    store.append(mail_from="", rcpt_to=many, peer="::1", at=AT, message=MESSAGE)
    assert [len(entry.rcpt_to) for entry, _ in store.before(10)] == [1000]
    store.close()
    assert opened(tmp_path).count == 1


def test_only_the_owner_can_read_the_mail(tmp_path: Path) -> None:
    store = opened(tmp_path / "mailbox")
    put(store)
    assert stat.S_IMODE((tmp_path / "mailbox").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "mailbox").iterdir()} == {0o600}


def test_a_second_mailbox_is_refused_the_same_directory(tmp_path: Path) -> None:
    store = opened(tmp_path)
    with pytest.raises(ConfigurationError, match="already uses"):
        opened(tmp_path)
    store.close()
    opened(tmp_path).close()


def test_a_full_disk_refuses_the_mail_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    store = opened(tmp_path, segment_bytes=100_000)
    put(store, 2)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (store.size + 500, hard))
    try:
        with pytest.raises(Unavailable):
            put(store)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sum(path.stat().st_size for path in tmp_path.glob("*.mail")) == store.size
    assert put(store) == [3]
    assert ids(store) == [1, 2, 3]
