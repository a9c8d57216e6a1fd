"""Postfix that wants a password: it goes out under TLS alone, and mail waits without an attempt until it is right."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from core.ways_out import RelaySettings
from tests.interop.judgement import addresses, attempts, check_delivered, ledger, service_with, states
from tests.support.dovecot_auth import DovecotAuth, dovecot_auth
from tests.support.postfix import Postfix, running_postfix
from tests.support.scripted_smtp import make_certificate
from tests.support.waiting import eventually

PASSWORD = "pässwörd 届く"


def submission(auth: DovecotAuth) -> dict[str, str]:
    """Return the settings of a relay that takes mail for everyone from those who can prove themselves."""
    return {
        "default_transport": "virtual",
        "smtpd_sasl_auth_enable": "yes",
        "smtpd_sasl_type": "dovecot",
        "smtpd_sasl_path": f"inet:127.0.0.1:{auth.port}",
        "smtpd_tls_auth_only": "yes",
        "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
    }


def relay_at(postfix: Postfix, certificate: Path) -> RelaySettings:
    return RelaySettings(
        host="127.0.0.1",
        port=postfix.port,
        tls="starttls-required",
        ca_file=certificate,
        username="todoku",
        password=SecretStr(PASSWORD),
        connections=2,
    )


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
async def test_a_campaign_goes_through_with_a_password(tmp_path: Path, mechanism: str) -> None:
    people, certificate = addresses(), make_certificate(tmp_path).path
    async with (
        dovecot_auth({"todoku": PASSWORD}, mechanism) as auth,
        running_postfix(submission(auth), certificate=certificate) as postfix,
        service_with(postfix, people, relays=(relay_at(postfix, certificate),)) as service,
    ):
        campaign = await service.campaign(at="now")
        await service.reaches(campaign, "finished")
        assert states(await ledger(service, campaign)) == {"accepted": len(people)}
        await check_delivered(service, await postfix.holds(len(people)), people)
        assert set(auth.said) == {(mechanism, "todoku", True)}
        assert postfix.log.count(f"sasl_method={mechanism}, sasl_username=todoku") == len(people)


async def test_mail_waits_without_an_attempt_until_the_password_is_right(tmp_path: Path) -> None:
    people, certificate = addresses(), make_certificate(tmp_path).path
    async with (
        dovecot_auth({"todoku": "changed"}) as auth,
        running_postfix(submission(auth), certificate=certificate) as postfix,
        service_with(postfix, people, relays=(relay_at(postfix, certificate),)) as service,
    ):
        campaign = await service.campaign(at="now")

        async def refused() -> bool:
            return auth.refused >= 3

        await eventually(refused)
        assert auth.accepted == 0
        assert states(await ledger(service, campaign)) == {"waiting": len(people)}
        assert await service.main_owner.fetchval("SELECT count(*) FROM intent") == 0
        assert "mail=" not in postfix.log
        auth.passwords["todoku"] = PASSWORD
        await service.reaches(campaign, "finished")
        assert states(await ledger(service, campaign)) == {"accepted": len(people)}
        await check_delivered(service, await postfix.holds(len(people)), people)
        assert await attempts(service) == {"accepted": len(people)}
