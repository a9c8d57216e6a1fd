import base64
import csv
import io
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from core import ids
from core.clock import Clock
from core.errors import InvalidInput
from core.ids import IdSource
from members.errors import BadAddress, Suppressed
from members.imports import ImportStore, run_import
from members.keyring import KeyRings
from members.listing import MemberList
from members.member import Consent
from members.members import MemberStore
from members.scopes import topic_scope
from members.suppression_lists import Form, ListReport, SuppressionLists
from members.suppressions import SuppressionStore, read_hash
from members.topics import KIND, TopicStore
from tests.support.audiences import reached


@pytest.fixture
def store(vault: asyncpg.Pool, rings: KeyRings) -> SuppressionStore:
    return SuppressionStore(vault, rings)


@pytest.fixture
def lists(vault: asyncpg.Pool, store: SuppressionStore) -> SuppressionLists:
    return SuppressionLists(vault, store)


async def take_in(lists: SuppressionLists, account: UUID, content: str, form: Form = "csv") -> ListReport:
    report = ListReport()
    async for _ in lists.take_in(account, content.encode(), form, report):
        pass
    return report


async def test_a_suppressed_domain_gets_no_mail_and_no_new_members(
    store: SuppressionStore,
    members: MemberStore,
    account: UUID,
    consent: Consent,
    vault: asyncpg.Pool,
    rings: KeyRings,
) -> None:
    kept = await members.create(account, "taro@example.jp", consent=consent)
    await members.create(account, "hanako@sub.example.com", consent=consent)
    entry = await store.add_hash(account, await store.of_domain(account, "@SUB.Example.com"), "complained")
    assert (await reached(vault, rings, account))[0].left_out == {"complained": 1}
    assert (await reached(vault, rings, account))[1] == [kept.member_id]
    later = Consent("form", consent.given_at + timedelta(days=9))
    with pytest.raises(Suppressed):
        await members.create(account, "jiro@sub.example.com", consent=later)
    with pytest.raises(Suppressed):
        await members.change(account, kept.member_id, 1, address="taro@sub.example.com")
    await store.remove(account, entry.hash)
    assert (await reached(vault, rings, account))[0].left_out == {}
    for wrong in ("taro@example.jp", "localhost", "", "a b.jp"):
        with pytest.raises(BadAddress):
            await store.of_domain(account, wrong)


async def test_only_members_whom_an_entry_alone_keeps_from_mail_are_its_members(
    store: SuppressionStore, members: MemberStore, account: UUID
) -> None:
    one, two = [await members.create(account, f"m{number}@example.jp") for number in range(2)]
    domain = await store.of_domain(account, "example.jp")
    own = await store.of_address(account, "m0@example.jp")

    async def of(*digests: bytes) -> list[UUID]:
        return [member async for part in store.members_of(account, digests) for member in part]

    await store.add_hash(account, domain, "manual")
    assert await of(domain) == [one.member_id, two.member_id]
    await store.add_hash(account, own, "manual")
    assert await of(domain) == [two.member_id]
    assert await of(own) == []
    assert await of(own, domain) == [one.member_id, two.member_id]


async def test_entries_of_one_address_differ_by_scope_and_are_listed_and_filtered(
    store: SuppressionStore, account: UUID, new_id: IdSource
) -> None:
    scope = topic_scope(new_id())
    for scope_ in ("all", scope):
        await store.add(account, "taro@example.jp", "complained", scope=scope_)
    await store.add(account, "hanako@example.jp")
    everything = []
    after = None
    while True:
        part, after = await store.list(account, after=after, limit=1)
        everything += [(entry.scope, entry.reason) for entry in part]
        if after is None:
            break
    assert sorted(everything) == sorted([("all", "complained"), (scope, "complained"), ("all", "manual")])
    assert [entry.scope for entry in (await store.list(account, scope=scope))[0]] == [scope]
    assert [entry.reason for entry in (await store.list(account, reason="manual"))[0]] == ["manual"]
    await store.remove(account, await store.of_address(account, "taro@example.jp"), scope)
    assert await store.find(account, "taro@example.jp") is not None


async def test_a_hash_is_read_in_hexadecimal_and_base64_digits() -> None:
    for digest in (bytes(range(32)), bytes(range(8))):
        assert read_hash(digest.hex()) == digest
        assert read_hash(base64.b64encode(digest).decode()) == digest
        assert read_hash(base64.b64encode(digest).decode().rstrip("=")) == digest
    for wrong in ("", "taro@example.jp", "ab", "g" * 64, bytes(31).hex(), base64.b64encode(bytes(16)).decode()):
        with pytest.raises(InvalidInput):
            read_hash(wrong)


async def test_a_list_is_taken_and_its_bad_lines_are_refused_by_number_without_what_they_say(
    lists: SuppressionLists, store: SuppressionStore, account: UUID, vault: asyncpg.Pool, new_id: IdSource
) -> None:
    topic = (await TopicStore(vault, new_id).create(account, "weekly")).topic_id
    shown = ids.encode(KIND, topic)
    own = (await store.of_address(account, "own@example.jp")).hex()
    report = await take_in(
        lists,
        account,
        "\ufeffemail,domain,hash,scope,reason,occurred_at\r\n"
        "taro@example.jp,,,,complained,2026-11-01T10:00:00+09:00\r\n"
        f"taro@example.jp,,,{shown},,\r\n"
        "TARO@example.jp,,,,,\r\n"
        ",example.com,,,,\r\n"
        f",,{own},,,\r\n"
        "secret.name,,,,,\r\n"
        "a@example.jp,example.jp,,,,\r\n"
        ",,,,,\r\n"
        "b@example.jp,,,top_x,,\r\n"
        "c@example.jp,,,global,,\r\n"
        "d@example.jp,,,,because,\r\n"
        "e@example.jp,,,,,yesterday\r\n"
        "f@example.jp,,,,,,,\r\n",
    )
    assert (report.added, report.known, report.refused) == (4, 1, 7)
    assert [refusal.line for refusal in report.refusals] == [7, 8, 10, 11, 12, 13, 14]
    assert "secret" not in str(report.refusals)
    entry = await store.find(account, "taro@example.jp")
    assert entry is not None
    assert (entry.reason, entry.occurred_at) == ("complained", datetime(2026, 11, 1, 1, tzinfo=UTC))
    assert (await store.find(account, "own@example.jp")) is not None
    scopes = {entry.scope for entry in (await store.list(account))[0]}
    assert scopes == {"all", topic_scope(topic)}


async def test_json_lines_are_taken_too(lists: SuppressionLists, account: UUID) -> None:
    lines = ['{"email": "taro@example.jp"}', "", "[1]", "{", '{"email": 5}', '{"domain": "example.com", "x": "y"}']
    report = await take_in(lists, account, "\n".join(lines), "jsonl")
    assert (report.added, report.refused) == (1, 4)
    assert [refusal.line for refusal in report.refusals] == [3, 4, 5, 6]


@pytest.mark.parametrize("content", ["", "name\r\nx\r\n", "email,email\r\n", "email,shoe\r\n", '"email\r\n'])
async def test_a_list_that_can_not_be_read_is_refused_whole(
    lists: SuppressionLists, account: UUID, content: str
) -> None:
    with pytest.raises(InvalidInput):
        await take_in(lists, account, content)


async def test_what_is_given_out_is_taken_in_again_and_holds_no_address(
    lists: SuppressionLists, store: SuppressionStore, account: UUID, vault: asyncpg.Pool, new_id: IdSource
) -> None:
    topic = (await TopicStore(vault, new_id).create(account, "weekly")).topic_id
    await store.add(account, "taro@example.jp", "bounced", scope=topic_scope(topic))
    for number in range(10):
        await store.add(account, f"m{number}@example.jp", "complained")
    await store.add_hash(account, await store.of_domain(account, "example.com"), "manual")
    before = (await store.list(account))[0]
    file = b"".join([part async for part in lists.give_out(account)])
    assert b"taro" not in file
    assert b"example" not in file
    assert len(list(csv.DictReader(io.StringIO(file.decode())))) == len(before) == 12
    await vault.execute("DELETE FROM suppression")
    report = await take_in(lists, account, file.decode())
    assert (report.added, report.refused) == (12, 0)
    assert (await store.list(account))[0] == before


async def test_a_file_brings_in_nobody_of_a_suppressed_domain(
    store: SuppressionStore,
    members: MemberStore,
    account: UUID,
    vault: asyncpg.Pool,
    rings: KeyRings,
    new_id: IdSource,
    clock: Clock,
) -> None:
    await store.add_hash(account, await store.of_domain(account, "example.com"), "manual")
    imports = ImportStore(vault, rings, new_id)
    import_id = await imports.begin(account)
    await imports.add_block(account, import_id, 0, b"email\ntaro@EXAMPLE.com\nhanako@example.jp\n")
    await imports.submit(account, import_id, {}, "form")
    await run_import(vault, rings, import_id, new_id, clock, lambda: True)
    done = await imports.get(account, import_id)
    assert (done.created, done.rejected) == (1, 1)
    assert [member.address for member in (await MemberList(vault, rings).page(account)).items] == ["hanako@example.jp"]
