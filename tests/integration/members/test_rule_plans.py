from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from core import ids
from core.ids import IdSource
from members.attributes import AttributeStore, load_definitions
from members.keyring import KeyRings, Ring
from members.rules import tree
from members.rules.hiding import hide_values, show_values
from members.rules.moment import at_moment
from members.rules.plan import Plan, plan
from members.rules.predicate import traces
from members.rules.reading import Vocabulary, campaigns_in, read_rule
from members.rules.writing import write_rule

NOW = datetime(2026, 11, 20, tzinfo=UTC)
CITY: dict[str, Any] = {"attribute": "city", "equals": "tokyo"}
PHONE: dict[str, Any] = {"attribute": "phone", "starts_with": "090"}
NAME: dict[str, Any] = {"attribute": "name", "contains": "taro"}
SEEN: dict[str, Any] = {"last_open": {"within_days": 30}}


@pytest.fixture
async def known(vault: asyncpg.Pool, account: UUID, new_id: IdSource) -> Vocabulary:
    attributes = AttributeStore(vault, new_id)
    await attributes.define(account, "city", "text", protection="open")
    await attributes.define(account, "phone", "text")
    await attributes.define(account, "born", "date")
    campaign, group, topic = new_id(), new_id(), new_id()
    definitions = await load_definitions(vault, account)
    return Vocabulary(definitions, [group], [topic], [campaign])


@pytest.fixture
async def ring(rings: KeyRings, account: UUID) -> Ring:
    return await rings.ring(account)


def planned(rule: dict[str, Any], known: Vocabulary, ring: Ring) -> Plan:
    return plan(read_rule(rule, known), ring, NOW)


async def test_what_facets_answer_takes_no_set(known: Vocabulary, ring: Ring) -> None:
    made = planned({"not": {"any": [CITY, {"not": CITY}]}}, known, ring)
    assert made.sets == ()
    assert made.path == made.may


async def test_all_that_is_to_be_scanned_in_one_node_is_one_set(known: Vocabulary, ring: Ring) -> None:
    made = planned({"any": [PHONE, CITY, {"not": NAME}, {"all": [PHONE, NAME]}]}, known, ring)
    (only,) = made.sets
    assert isinstance(only, tree.AnyOf)
    assert len(only.parts) == 3
    assert made.may is None


async def test_members_that_facets_rule_out_are_not_scanned(known: Vocabulary, ring: Ring) -> None:
    city = planned(CITY, known, ring).path
    assert planned({"all": [PHONE, CITY, NAME]}, known, ring).may == f"({city})"
    assert planned({"not": {"any": [PHONE, CITY]}}, known, ring).may == f"!(({city}))"
    assert planned({"any": [{"all": [PHONE, CITY]}, CITY]}, known, ring).may is not None
    assert planned({"not": {"all": [PHONE, CITY]}}, known, ring).may is None


async def test_what_is_counted_from_now_is_fixed_by_the_moment(known: Vocabulary) -> None:
    (test,) = [at_moment(read_rule({"attribute": "born", "within_days": 20}, known), NOW)]
    assert isinstance(test, tree.Test)
    assert (test.operator, test.values) == ("between", ("2026-10-31", "2026-11-20"))


async def test_a_rule_that_was_read_and_written_is_the_same_rule(known: Vocabulary, new_id: IdSource) -> None:
    (group,), (topic,), (campaign,) = known.groups, known.topics, known.campaigns  # type: ignore[misc]
    shown, at = ids.encode("cmp", campaign), "2026-11-01T00:00:00+09:00"
    rule = {
        "all": [
            {"any": [CITY, PHONE, NAME, {"attribute": "born", "between": ["2000-01-01", "2000-12-31"]}]},
            {"not": {"group": ids.encode("grp", group)}},
            {"topic": ids.encode("top", topic)},
            {"status": ["active", "unsubscribed"]},
            {"received": shown},
            {"opened": shown},
            {"clicked": shown},
            SEEN,
            {"last_click": {"never": True}},
            {"last_click": {"after": at, "before": at}},
            {"consent": {"given": False, "scope": ids.encode("top", topic), "source": "form", "after": at}},
        ]
    }
    assert campaigns_in(rule) == {campaign}
    read = read_rule(rule, known)
    assert read_rule(write_rule(read), known) == read


async def test_hidden_values_come_back_as_they_were(known: Vocabulary, ring: Ring) -> None:
    rule = {
        "any": [CITY, {"not": PHONE}, {"attribute": "phone", "in": ["1", "2"]}, {"attribute": "phone", "is_set": True}]
    }
    hidden = hide_values(rule, known.definitions, ring, bytes)
    assert hidden["any"][0] == CITY
    assert hidden["any"][1]["not"]["starts_with"].keys() == {"hidden"}
    assert show_values(hidden, ring) == rule


async def test_what_leaves_a_trace_in_everyone_who_meets_a_rule_is_looked_for_first(known: Vocabulary) -> None:
    def traced(rule: dict[str, Any]) -> frozenset[bytes] | None:
        return traces(read_rule(rule, known))

    phone, kanji = {"attribute": "phone", "equals": 'a"b'}, {"attribute": "name", "contains": "a様\nA"}
    assert traced(phone) == {b'"a\\"b"'}
    assert traced(kanji) == {"様\\n".encode()}
    assert traced(NAME) is None  # each letter of taro is written in more than two ways
    assert traced({"attribute": "name", "contains": "太郎"}) == {"太郎".encode(), "太\uf92c".encode()}
    assert traced({"attribute": "name", "starts_with": "東田中京太x"}) == {"京太".encode()}
    assert traced({"any": [phone, kanji]}) == {b'"a\\"b"', "様\\n".encode()}
    assert traced({"any": [phone, NAME]}) is None
    assert traced({"all": [NAME, phone]}) == {b'"a\\"b"'}
    assert traced({"not": phone}) is None
    assert traced({"attribute": "phone", "not_equals": "x"}) is None
    assert traced({"attribute": "phone", "in": [str(number) for number in range(50)]}) is None


async def test_who_is_in_no_set_is_asked_only_where_a_rule_may_hold_without_one(known: Vocabulary, ring: Ring) -> None:
    for rule, in_sets in (
        (PHONE, True),
        ({"not": PHONE}, True),  # scanned as a whole: whoever meets it is in the set
        (SEEN, True),
        ({"not": SEEN}, False),
        ({"all": [CITY, SEEN]}, True),
        ({"any": [CITY, SEEN]}, False),
        ({"any": [PHONE, SEEN]}, True),
        ({"all": [{"not": SEEN}, PHONE]}, True),
        (CITY, False),
    ):
        assert planned(rule, known, ring).in_sets is in_sets


async def test_only_what_asks_for_equality_is_looked_up_in_the_index(known: Vocabulary, ring: Ring) -> None:
    part = {"attribute": "city", "contains": "yo"}
    for rule, indexed in (
        (CITY, True),
        ({"all": [part, CITY]}, True),
        ({"any": [part, CITY]}, False),
        ({"not": CITY}, False),
        (part, False),
        ({"attribute": "city", "not_equals": "tokyo"}, False),
        (PHONE, False),
    ):
        assert planned(rule, known, ring).indexed is indexed
