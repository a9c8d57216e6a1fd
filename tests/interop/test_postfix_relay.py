"""Postfix as a relay in the clear: whatever it offers or leaves out, every message comes through whole and once."""

import pytest

from core.ways_out import RelaySettings
from tests.interop.judgement import addresses, check_delivered, ledger, service_with, states
from tests.support.postfix import RELAY, running_postfix


@pytest.mark.parametrize("left_out", ["", "pipelining"])
async def test_a_campaign_goes_through_whatever_extensions_are_left_out(left_out: str) -> None:
    people = addresses()
    async with running_postfix({**RELAY, "smtpd_discard_ehlo_keywords": left_out}) as postfix:
        relay = RelaySettings(host="127.0.0.1", port=postfix.port, tls="none", connections=2)
        async with service_with(postfix, people, relays=(relay,)) as service:
            campaign = await service.campaign(at="now")
            await service.reaches(campaign, "finished")
            assert states(await ledger(service, campaign)) == {"accepted": len(people)}
            await check_delivered(service, await postfix.holds(len(people)), people)
        # Many on a connection, and no command was refused.
        assert max(int(session.get("mail", "0")) for session in postfix.sessions()) >= len(people) // 4
        assert not [session for session in postfix.sessions() if "/" in session["commands"].removeprefix("0/0")]
