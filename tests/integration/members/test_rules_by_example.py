"""Random rules over random members, through the real databases, against an evaluator that knows only the handbook."""

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.ids import IdSource
from tests.support.rules.evaluator import meets
from tests.support.rules.strategies import rules
from tests.support.rules.world import NOW, World, make_world


@pytest.fixture(params=[1, 2])
async def world(request: Any, main: asyncpg.Pool, vault: asyncpg.Pool, new_id: IdSource) -> World:
    return await make_world(main, vault, new_id, random.Random(request.param))


async def judge(data: st.DataObject, world: World) -> None:
    rule, limit = data.draw(rules(world)), data.draw(st.sampled_from([7, 1000]))
    audience = replace(await world.stage.audience.of_rule(world.stage.account_id, rule), at=NOW)
    wanted = [person for person in world.people if meets(rule, person, world)]
    found, left_out = await world.found(audience, limit)
    assert found == {person.member_id for person in wanted if person.status == "active"}
    others = Counter(person.status for person in wanted if person.status != "active")
    assert left_out == others
    assert await world.previewed(audience) == (len(found), others)


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
async def test_who_meets_a_rule_is_who_the_handbook_says_and_a_preview_equals_the_snapshot(
    data: st.DataObject, world: World
) -> None:
    await judge(data, world)


@pytest.mark.chaos
@given(data=st.data())
@settings(max_examples=3_000, deadline=None, suppress_health_check=list(HealthCheck))
async def test_thousands_of_rules_find_who_the_handbook_says(data: st.DataObject, world: World) -> None:
    await judge(data, world)
