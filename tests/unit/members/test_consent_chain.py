from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput, Tampered
from members.consents import chain, evidence, ledger
from members.consents.evidence import Evidence
from members.member import Consent

ACCOUNT, MEMBER, KEY = UUID(int=1), UUID(int=2), bytes(range(32))
NOW = datetime(2026, 12, 1, tzinfo=UTC)

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
times = st.datetimes(min_value=datetime(1990, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the zone is added
records = st.tuples(
    st.uuids(),
    st.uuids(),
    texts,
    texts,
    texts,
    st.none() | texts,
    times,
    times,
    st.none() | times,
    st.none() | st.binary(),
)


@given(records, records)
def test_two_records_have_one_hash_only_if_they_are_one(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    assert (chain.record_hash(*one) == chain.record_hash(*other)) == (one == other)


@given(records, st.integers(min_value=0, max_value=9))
def test_no_part_of_a_record_may_move_into_its_neighbour(record: tuple[Any, ...], place: int) -> None:
    whole = list(record)
    following = (place + 1) % len(whole)
    whole[place], whole[following] = whole[following], whole[place]
    if tuple(whole) == record or type(whole[place]) is not type(whole[following]):
        return
    assert chain.record_hash(*whole) != chain.record_hash(*record)


def test_a_text_that_is_cut_elsewhere_is_another_record() -> None:
    rest = (None, NOW, NOW, None, None)
    assert chain.record_hash(ACCOUNT, MEMBER, "given", "al", "lform", *rest) != chain.record_hash(
        ACCOUNT, MEMBER, "given", "all", "form", *rest
    )


def test_every_column_of_a_record_counts() -> None:
    record: list[Any] = [ACCOUNT, MEMBER, "given", "all", "form", None, NOW, NOW, None, None]
    later = NOW + timedelta(microseconds=1)
    others: list[Any] = [MEMBER, ACCOUNT, "withdrawn", "topic:", "form ", "", later, later, NOW, b""]
    for place, other in enumerate(others):
        assert chain.record_hash(*record[:place], other, *record[place + 1 :]) != chain.record_hash(*record)


def test_every_column_of_a_link_counts() -> None:
    link: list[Any] = [ACCOUNT, 1, 5, 3, b"d" * 32, b"p" * 32, NOW]
    others: list[Any] = [MEMBER, 2, 6, 4, b"e" * 32, b"q" * 32, NOW + timedelta(microseconds=1)]
    for place, other in enumerate(others):
        assert chain.link_hash(*link[:place], other, *link[place + 1 :]) != chain.link_hash(*link)


SEALED = evidence.seal("192.0.2.7", key=KEY, account_id=ACCOUNT, member_id=MEMBER, random=bytes(range(44)))


def test_an_origin_opens_to_what_it_was_for_its_own_member_alone() -> None:
    assert evidence.unseal(SEALED, key=KEY, account_id=ACCOUNT, member_id=MEMBER) == "192.0.2.7"
    for place in ({"account_id": MEMBER, "member_id": MEMBER}, {"account_id": ACCOUNT, "member_id": ACCOUNT}):
        with pytest.raises(Tampered):
            evidence.unseal(SEALED, key=KEY, **place)
    with pytest.raises(Tampered):
        evidence.unseal(SEALED, key=bytes(32), account_id=ACCOUNT, member_id=MEMBER)


@pytest.mark.parametrize("place", range(len(SEALED.sealed) + 32))
def test_no_byte_of_an_origin_or_its_commitment_can_be_altered(place: int) -> None:
    both = bytearray(SEALED.commitment + SEALED.sealed)
    both[place] ^= 1
    altered = Evidence(bytes(both[:32]), bytes(both[32:]))
    with pytest.raises(Tampered):
        evidence.unseal(altered, key=KEY, account_id=ACCOUNT, member_id=MEMBER)


def test_one_address_has_another_commitment_each_time() -> None:
    again = evidence.seal("192.0.2.7", key=KEY, account_id=ACCOUNT, member_id=MEMBER, random=bytes(44))
    assert again.commitment != SEALED.commitment


def test_a_consent_at_fault_names_every_fault() -> None:
    naive = datetime(2026, 12, 1)  # noqa: DTZ001 - what is to be refused
    with pytest.raises(InvalidInput) as caught:
        ledger.check(Consent("", naive, "", naive, "shop.example.jp"))
    assert {fault.pointer for fault in caught.value.faults} == {
        f"/consent/{name}" for name in ("source", "given_at", "form_version", "confirmed_at", "origin")
    }
    assert "shop" not in str(caught.value.faults)
