from uuid import UUID

from delivery.compose.check import check
from delivery.compose.content import Content
from members.attributes import AttributeStore
from members.members import MemberStore
from members.vault import Vault
from scheduler.campaigns.fields import Campaign
from tests.support.campaigns import Stage, write_template

HTML = "<p>{{ name }}</p>"


async def subject_for(stage: Stage, campaign: Campaign, member_id: UUID) -> str:
    """What the frozen content of a campaign says to a member as the vault opens it for a worker."""
    body = await stage.main.fetchval(
        "SELECT body FROM content JOIN run USING (content_id) WHERE run_id = $1", campaign.run_id
    )
    (member,) = await Vault(stage.vault, stage.rings).open_members(stage.account_id, [member_id])
    return check(Content.from_json(body), samples=[member.values]).previews[0].subject


async def test_whatever_says_a_name_that_an_attribute_had_fills_its_holes(stage: Stage) -> None:
    store = AttributeStore(stage.vault, stage.new_id)
    plan = await store.define(stage.account_id, "plan", "text")
    members = MemberStore(stage.vault, stage.rings, stage.new_id)
    member_id = (await members.create(stage.account_id, "taro@example.jp", {"plan": "gold"})).member_id
    await write_template(stage.main, stage.template_id, 2, subject="{{ plan }}", html=HTML)
    before = await stage.scheduled(seconds=60)
    await store.change(stage.account_id, plan.attribute_id, 1, name="tier")
    await write_template(stage.main, stage.template_id, 3, subject="{{ tier }}", html=HTML)
    between = await stage.scheduled(seconds=60)
    await store.change(stage.account_id, plan.attribute_id, 2, name="rank")
    after = await stage.scheduled(seconds=60)
    words = "{{ plan }} {{ tier | upper }} {% if rank %}{{ rank }}{% endif %}"
    await write_template(stage.main, stage.template_id, 4, subject=words, html=HTML)
    mixed = await stage.scheduled(seconds=60)
    said = [await subject_for(stage, campaign, member_id) for campaign in (before, between, after, mixed)]
    assert said == ["gold", "gold", "gold", "gold GOLD gold"]
