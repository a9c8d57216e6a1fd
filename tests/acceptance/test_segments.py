"""A segment over sealed names, as a marketer uses one: previewed by a worker, sent to, then asked who opened."""

from typing import Any

from tests.support.service import Service, running_service
from tests.support.waiting import eventually


async def previewed(service: Service, rule: object) -> dict[str, Any]:
    """Follow a preview that takes time until it is finished."""
    begun = await service.post("/v1/segments/preview", {"rule": rule}, expect=202)

    async def finished() -> dict[str, Any] | None:
        shown: dict[str, Any] = await service.get(f"/v1/segments/previews/{begun['id']}")
        return shown if shown["state"] == "finished" else None

    made: dict[str, Any] = await eventually(finished, within=30)  # type: ignore[assignment]
    assert made["progress"]["done"] == made["progress"]["total"]
    return made["result"]  # type: ignore[no-any-return]


async def test_who_is_found_by_a_sealed_name_gets_the_mail_and_what_they_did_is_asked_next() -> None:
    async with running_service() as service:
        await service.import_members([f"member{n}@example.jp" for n in range(40)])
        rule = {"attribute": "name", "starts_with": "山田 1"}
        found = await previewed(service, rule)
        assert (found["matching"], found["sendable"]) == (11, 11)
        assert found["samples"] == ["m***@example.jp"] * 11
        segment = await service.post("/v1/segments", {"name": "Ones", "rule": rule})
        campaign = await service.campaign(audience={"segments": [segment["id"]]})
        await service.post(f"/v1/campaigns/{campaign}/schedule", {})
        await service.reaches(campaign, "finished")
        received = await service.received()
        assert set(received) == {f"member{n}@example.jp" for n in (1, *range(10, 20))}
        assert (await previewed(service, {"received": campaign}))["matching"] == 11
        others = {"all": [{"not": {"received": campaign}}, {"last_open": {"never": True}}]}
        assert (await previewed(service, others))["matching"] == 29
