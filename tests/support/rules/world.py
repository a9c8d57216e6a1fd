"""Members made by chance, with all that rules can ask, in the real databases and as the handbook sees them."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from core import ids
from core.ids import IdSource
from members.attribute import Choice
from members.attributes import AttributeStore
from members.audience import Audience
from members.groups import GroupStore
from members.member import Consent, Member
from members.members import MemberStore
from members.previews import PreviewStore
from members.segments import SegmentStore
from members.topics import TopicStore
from scheduler import chores
from tests.support.audiences import read_slice
from tests.support.campaigns import Stage, set_up
from tracking import engagement

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
TYPES = ("text", "number", "boolean", "date", "datetime", "choice", "tags")
PROTECTIONS = ("open", "matchable", "sealed")


def wide(text: str) -> str:
    return "".join(chr(ord(letter) + 0xFEE0) for letter in text)


TEXTS = ["x", "X", 'q"\\', "日本", "$.a", "a\nb", wide("TOKYO"), "Tokyo tower", "東京タワー", "ﾀﾜｰ", "a.b*c", "[x]^-"]
PARTS = ["x", wide("tow"), "タワ", "京", ".", "\n"]
NUMBERS = [0, 1, -1, 1.5, 10**15, 1e-7]
DATES = ["2026-01-01", "2026-10-21", "2026-11-19", "2026-11-20", "2026-11-21"]
TIMES = ["2026-01-01T00:00:00Z", "2026-11-19T12:29:59Z", "2026-11-19T12:30:00Z", "2026-11-20T12:30:00Z"]
TAGS = ["p", "q", "r"]
VALUES: dict[str, list[Any]] = {
    "text": TEXTS,
    "number": NUMBERS,
    "boolean": [True, False],
    "date": DATES,
    "datetime": TIMES,
    "choice": ["a", "b"],
    "tags": [["p"], ["q", "r"], ["p", "q", "r"]],
}
SOURCES = ["form", "fair"]
LATER = datetime.now(UTC) + timedelta(days=30)
MOMENTS = [NOW - timedelta(days=days, hours=hours) for days, hours in ((40, 0), (10, 0), (9, 23), (1, 0), (0, 1))]


@dataclass
class Person:
    """A member as the handbook sees one."""

    member_id: UUID
    values: dict[str, Any]
    groups: set[str]
    topics: set[str]
    status: str
    consents: list[tuple[bool, str, str, datetime]]
    mail: set[tuple[str, str]] = field(default_factory=set)
    seen: dict[str, datetime] = field(default_factory=dict)


@dataclass
class World:
    """People, and what rules about them may name."""

    stage: Stage
    people: list[Person]
    groups: list[str]
    topics: list[str]
    campaigns: list[str]
    segments: dict[str, Any]

    async def found(self, audience: Audience, limit: int) -> tuple[set[UUID], dict[str, int]]:
        """Cut the audience as a campaign is cut: who it is sent to, and why not to the others."""
        source, account_id = self.stage.audience, self.stage.account_id
        upper = await source.upper(account_id)
        assert upper is not None
        found: set[UUID] = set()
        left_out: dict[str, int] = {}
        after = None
        while True:
            stream = bytearray()

            async def sink(block: bytes, stream: bytearray = stream) -> None:
                stream.extend(block)

            end = await source.slice(account_id, audience, after, upper, limit, sink)
            rows = read_slice(bytes(stream))
            assert len(rows) == end.rows
            found |= {member_id for member_id, _ in rows}
            for reason, total in end.left_out.items():
                left_out[reason] = left_out.get(reason, 0) + total
            if end.last is None:
                return found, left_out
            after = end.last

    async def previewed(self, audience: Audience) -> tuple[int, dict[str, int]]:
        """Preview the audience: how many can be sent to, and why not the others."""
        previews = PreviewStore(self.stage.vault, self.stage.rings, self.stage.audience)
        account_id = self.stage.account_id
        found = await previews.at_once(account_id, audience)
        if found is None:
            preview_id = self.stage.new_id()
            await previews.begin(account_id, preview_id, audience)
            await previews.run(account_id, preview_id, lambda: True, size=13)
            made = await previews.get(account_id, preview_id)
            assert (made.state, made.done) == ("finished", len(self.people))
            found = made.found
        assert len(found.samples) == min(20, found.count.sendable)
        return found.count.sendable, dict(found.count.left_out)


async def make_world(main: asyncpg.Pool, vault: asyncpg.Pool, new_id: IdSource, chance: random.Random) -> World:
    """Fill both databases with people by chance."""
    stage = await set_up(main, vault, new_id)
    attributes, members = AttributeStore(vault, new_id), MemberStore(vault, stage.rings, new_id)
    for type_ in TYPES:
        for protection in PROTECTIONS:
            choices: Any = [Choice(value, {}) for value in ("a", "b")] if type_ == "choice" else ()
            await attributes.define(
                stage.account_id, f"{protection}_{type_}", type_, protection=protection, choices=choices
            )
    groups = [await GroupStore(vault, new_id).create(stage.account_id, name) for name in ("one", "two")]
    topics = [await TopicStore(vault, new_id).create(stage.account_id, name) for name in ("sake", "tea")]
    people = []
    for number in range(40):
        values = {
            f"{protection}_{type_}": chance.choice(VALUES[type_])
            for type_ in TYPES
            for protection in PROTECTIONS
            if chance.random() < 0.7
        }
        inside = [group.group_id for group in groups if chance.random() < 0.4]
        consent = Consent(chance.choice(SOURCES), chance.choice(MOMENTS)) if chance.random() < 0.8 else None
        chosen = [topic.topic_id for topic in topics if consent and chance.random() < 0.4]
        made = await members.create(
            stage.account_id, f"m{number}@example.jp", values, consent=consent, groups=inside, topics=chosen
        )
        shown = {ids.encode("top", topic) for topic in chosen}
        person = Person(made.member_id, values, {ids.encode("grp", one) for one in inside}, shown, made.status, [])
        if consent:
            person.consents = [(True, scope, consent.source, consent.given_at) for scope in ("all", *shown)]
            await _moved_on(members, stage.account_id, made, person, chance)
        people.append(person)
    campaigns = [await _mailed(stage, people, chance) for _ in range(2)]
    while await engagement.fold(main):
        pass
    shown_groups = [ids.encode("grp", group.group_id) for group in groups]
    world = World(stage, people, shown_groups, [ids.encode("top", one.topic_id) for one in topics], campaigns, {})
    await _segments(world)
    return world


async def _moved_on(
    members: MemberStore, account_id: UUID, made: Member, person: Person, chance: random.Random
) -> None:
    """Some leave, some take a pause, and some a pause that is over."""
    turn = chance.random()
    if turn < 0.15:
        await members.change(account_id, made.member_id, made.revision, withdrawn_by="link")
        person.status = "unsubscribed"
        person.consents.append((False, "all", "link", LATER))
    elif turn < 0.3:
        await members.change(account_id, made.member_id, made.revision, pause_until=LATER)
        person.status = "paused"


async def _mailed(stage: Stage, people: list[Person], chance: random.Random) -> str:
    """A campaign to everyone: some got it, some of them opened it, clicked in it."""
    campaign = await stage.scheduled(seconds=60)
    await chores.plan_audiences(stage.main, 600)
    await stage.cut_audiences()
    shown = ids.encode("cmp", campaign.campaign_id)
    by_id = {person.member_id: person for person in people}
    for row in await stage.recipients(campaign):
        person, place = by_id[row["member_id"]], (campaign.run_id, row["seq"])
        outcome = "accepted" if chance.random() < 0.7 else "failed"
        await stage.main.execute(
            "INSERT INTO result (run_id, seq, try, outcome, at) VALUES ($1, $2, 1, $3, app.now())", *place, outcome
        )
        if outcome == "accepted":
            person.mail.add(("received", shown))
            for event, name in (("open", "opened"), ("click", "clicked")):
                if chance.random() < 0.5:
                    at = chance.choice(MOMENTS)
                    person.mail.add((name, shown))
                    last = f"last_{event}"
                    person.seen[last] = max(person.seen.get(last, at), at)
                    await stage.main.execute(
                        "INSERT INTO first_event VALUES ($1, $2, $3, -1)", *place, f"human_{event}"
                    )
                    await stage.main.execute(
                        "INSERT INTO engagement_delta (account_id, member_id, kind, at) VALUES ($1, $2, $3, $4)",
                        stage.account_id,
                        person.member_id,
                        event,
                        at,
                    )
    return shown


async def _segments(world: World) -> None:
    """Two segments; the second names the first."""
    store = SegmentStore(world.stage.vault, world.stage.rings, world.stage.audience, world.stage.new_id)
    rule: Any = {"attribute": "sealed_text", "starts_with": "tokyo"}
    for name in ("inner", "outer"):
        made = await store.create(world.stage.account_id, name, rule)
        assert made.rule == rule
        shown = ids.encode("seg", made.segment_id)
        world.segments[shown] = rule
        rule = {"any": [{"not": {"segment": shown}}, {"group": world.groups[0]}]}
