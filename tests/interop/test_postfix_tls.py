"""Postfix that insists on TLS: mail goes out under a certificate that verifies, and waits for one that does not."""

from pathlib import Path
from typing import Literal

import pytest

from core.ways_out import RelaySettings
from tests.interop.judgement import addresses, attempts, check_delivered, ledger, service_with, states
from tests.support.postfix import RELAY, running_postfix
from tests.support.scripted_smtp import make_certificate
from tests.support.waiting import eventually

INSISTS = {**RELAY, "smtpd_tls_security_level": "encrypt", "smtpd_tls_loglevel": "1"}


@pytest.mark.parametrize(
    ("tls", "version", "left_out"),
    [
        ("starttls-required", "TLSv1.3", ""),
        ("starttls-required", "TLSv1.2", "pipelining"),
        ("tls", "TLSv1.3", ""),
    ],
)
async def test_a_campaign_goes_through_under_tls(
    tmp_path: Path, tls: Literal["starttls-required", "tls"], version: str, left_out: str
) -> None:
    people, certificate = addresses(), make_certificate(tmp_path).path
    settings = {
        **INSISTS,
        "smtpd_discard_ehlo_keywords": left_out,
        "smtpd_tls_mandatory_protocols": f">={version}, <={version}",
    }
    async with running_postfix(settings, certificate=certificate) as postfix:
        port = postfix.tls_port if tls == "tls" else postfix.port
        relay = RelaySettings(host="127.0.0.1", port=port, tls=tls, ca_file=certificate, connections=2)
        async with service_with(postfix, people, relays=(relay,)) as service:
            campaign = await service.campaign(at="now")
            await service.reaches(campaign, "finished")
            assert states(await ledger(service, campaign)) == {"accepted": len(people)}
            await check_delivered(service, await postfix.holds(len(people)), people)
        assert f"TLS connection established from unknown[127.0.0.1]: {version}" in postfix.log


@pytest.mark.parametrize("tls", ["starttls-required", "tls"])
async def test_mail_waits_without_an_attempt_until_the_certificate_verifies(
    tmp_path: Path, tls: Literal["starttls-required", "tls"]
) -> None:
    people = addresses()
    (tmp_path / "other").mkdir()
    (tmp_path / "server").mkdir()
    ours, theirs = make_certificate(tmp_path / "other").path, make_certificate(tmp_path / "server").path
    async with running_postfix(INSISTS, certificate=theirs) as postfix:
        port = postfix.tls_port if tls == "tls" else postfix.port
        relay = RelaySettings(host="127.0.0.1", port=port, tls=tls, ca_file=ours, connections=2)
        async with service_with(postfix, people, relays=(relay,)) as service:
            campaign = await service.campaign(at="now")

            async def turned_down() -> bool:
                return postfix.log.count("SSL_accept error") >= 3

            await eventually(turned_down)
            assert states(await ledger(service, campaign)) == {"waiting": len(people)}
            assert await service.main_owner.fetchval("SELECT count(*) FROM intent") == 0
            assert "mail=" not in postfix.log
            theirs.write_bytes(ours.read_bytes())
            postfix.reload()
            await service.reaches(campaign, "finished")
            await check_delivered(service, await postfix.holds(len(people)), people)
            assert await attempts(service) == {"accepted": len(people)}
