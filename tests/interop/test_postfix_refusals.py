"""What Postfix refuses or puts off within a chain of messages on one connection, and that no other suffers by it."""

from collections import Counter

import pytest

from core.ways_out import RelaySettings
from tests.interop.judgement import addresses, check_delivered, ledger, service_with, states
from tests.support.postfix import RELAY, Postfix, running_postfix
from tests.support.waiting import eventually


def one_connection_to(postfix: Postfix) -> dict[str, object]:
    """Settings under which all is one chain."""
    relay = RelaySettings(host="127.0.0.1", port=postfix.port, tls="none", connections=1, messages_per_connection=200)
    return {"relays": (relay,), "workers": 1, "retry_first": 0.5, "retry_cap": 1}


@pytest.mark.parametrize("left_out", ["", "pipelining"])
async def test_one_recipient_put_off_within_a_chain_waits_alone_and_is_served_later(left_out: str) -> None:
    people = addresses()
    settings = {
        **RELAY,
        "smtpd_discard_ehlo_keywords": left_out,
        "smtpd_recipient_restrictions": "check_recipient_access {access}",
    }
    tables = {"access": ["/^member100@/ DEFER come back later"]}
    async with (
        running_postfix(settings, tables=tables) as postfix,
        service_with(postfix, people, **one_connection_to(postfix)) as service,
    ):
        campaign = await service.campaign(at="now")

        async def one_waits() -> bool:
            return states(await ledger(service, campaign)) == {"accepted": len(people) - 1, "deferred": 1}

        await eventually(one_waits)
        late = people[100]
        put_off = (await ledger(service, campaign))[late]
        assert (put_off["state"], put_off["code"]) == ("deferred", 450)
        await check_delivered(service, await postfix.holds(len(people) - 1), [one for one in people if one != late])
        postfix.table("access")
        postfix.reload()
        await service.reaches(campaign, "finished")
        await check_delivered(service, await postfix.holds(len(people)), people)
        tries = Counter({address: one["tries"] for address, one in (await ledger(service, campaign)).items()})
        assert tries.pop(late) > 1
        assert set(tries.values()) == {1}


async def test_what_the_content_filter_refuses_after_the_final_dot_fails_and_the_chain_goes_on() -> None:
    people = addresses()
    # Two in a row, twice.
    refused = {address for n, address in enumerate(people) if n % 100 in (10, 11)}
    settings = {**RELAY, "header_checks": "{headers}"}
    tables = {"headers": ["/^To:.*member1?1[01]@/ REJECT not wanted here"]}
    async with (
        running_postfix(settings, tables=tables) as postfix,
        service_with(postfix, people, **one_connection_to(postfix)) as service,
    ):
        campaign = await service.campaign(at="now")
        await service.reaches(campaign, "finished")
        found = await ledger(service, campaign)
        failed = {address: one for address, one in found.items() if one["state"] == "failed"}
        assert set(failed) == refused
        assert {one["code"] for one in failed.values()} == {550}
        taken = [address for address in people if address not in refused]
        await check_delivered(service, await postfix.holds(len(taken)), taken)
        assert await service.main_owner.fetchval("SELECT count(*) FROM stop") == 0, "it is not the members' fault"


@pytest.mark.parametrize("told", [True, False])
async def test_what_is_too_large_fails_whether_the_limit_is_told_or_not(*, told: bool) -> None:
    people = addresses()
    settings = {
        **RELAY,
        "message_size_limit": "1500",
        "smtpd_discard_ehlo_keywords": "" if told else "size",
        # It ends a session after 20 errors as ever, but does not dawdle from the tenth on.
        "smtpd_error_sleep_time": "0",
    }
    async with (
        running_postfix(settings) as postfix,
        service_with(postfix, people, **one_connection_to(postfix)) as service,
    ):
        campaign = await service.campaign(at="now")
        await service.reaches(campaign, "finished", within=120)
        found = await ledger(service, campaign)
        assert len(found) == len(people)
        code = None if told else 552
        assert {(one["code"], one["reason"]) for one in found.values()} == {(code, "message_too_large")}
        assert postfix.delivered() == []
        assert await service.main_owner.fetchval("SELECT count(*) FROM stop") == 0, "it is not the members' fault"
