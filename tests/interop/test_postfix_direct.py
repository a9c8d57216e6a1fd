"""Postfix as the receivers' own server, found by MX: what it does not know fails, all else arrives once and whole."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from core.ways_out import DirectSettings
from tests.interop.judgement import addresses, check_delivered, ledger, service_with, states
from tests.support.dns import dns_server
from tests.support.postfix import Postfix, receiver, running_postfix
from tests.support.scripted_smtp import make_certificate

KNOWN = {"virtual_mailbox_maps": "{mailboxes}", "smtpd_tls_loglevel": "1"}
MAILBOXES = {"mailboxes": ["/^member/ all/"]}


@asynccontextmanager
async def routed(postfix: Postfix, *, by: str) -> AsyncIterator[dict[str, object]]:
    """Settings for direct delivery that lead to Postfix: by MX records, or by a static route for every domain."""
    zone = {("receiver.example", "MX"): ["10 localhost."], ("localhost", "A"): ["127.0.0.1"]}
    async with dns_server(zone) as dns:
        found = {"routes": {"*": [f"[127.0.0.1]:{postfix.port}"]}} if by == "route" else {"direct_port": postfix.port}
        yield {
            "direct": (DirectSettings(name="out", ehlo_name="mail.shop.example"),),
            "dns_servers": (dns.address,),
            "loopback_routes": True,
            **found,
        }


@pytest.mark.parametrize(("by", "secured"), [("mx", True), ("route", True), ("mx", False)])
async def test_unknown_users_fail_and_all_others_have_their_mail_once(
    tmp_path: Path, by: str, *, secured: bool
) -> None:
    known, unknown = addresses(), addresses(24, name="gone")
    # Spread among the others, so that refusals stand in the middle of chains.
    people = [*known]
    for n, address in enumerate(unknown):
        people.insert(n * 9 + 4, address)
    certificate = make_certificate(tmp_path).path if secured else None
    settings = {**receiver("receiver.example"), **KNOWN}
    async with (
        running_postfix(settings, tables=MAILBOXES, certificate=certificate) as postfix,
        routed(postfix, by=by) as way,
        service_with(postfix, people, **way) as service,
    ):
        campaign = await service.campaign(at="now")
        await service.reaches(campaign, "finished", within=120)
        await check_delivered(service, await postfix.holds(len(known)), known)
        found = await ledger(service, campaign)
        assert {address for address, one in found.items() if one["state"] == "accepted"} == set(known)
        failed = {address: one for address, one in found.items() if one["state"] == "failed"}
        assert set(failed) == set(unknown)
        assert {(one["code"], one["reason"]) for one in failed.values()} == {(550, "no_such_user")}
        assert all("User unknown" in one["detail"] and "gone" not in one["detail"] for one in failed.values())
        assert ("TLS connection established" in postfix.log) is secured

        again = await service.campaign(at="now")
        await service.reaches(again, "finished")
        assert states(await ledger(service, again)) == {"accepted": len(known)}
