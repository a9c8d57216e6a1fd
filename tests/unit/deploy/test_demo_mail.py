"""How the demo's people read their mail, and what they do with it."""

import pytest

from delivery.compose.compiled import CompiledContent, Recipient
from delivery.dkim import dns_records
from delivery.envelope import Envelope
from deploy.demo.behaviour import CLICKED, LEFT, NOTHING, OPENED, acts_of
from deploy.demo.campaigns import TOGETHER
from deploy.demo.letters import LINKS
from deploy.demo.machines import SWEEPS
from deploy.demo.mail import plain_address, read_mail
from deploy.demo.people import Fate
from deploy.demo.signatures import make_zone, valid_signatures
from tests.support.mails import DATE, MEMBER, compiled, dkim_keys
from tracking.machines.rules import load as rules

LETTER = TOGETHER[0].letter
VALUES = {"name": "髙橋 花子", "rank": "gold", "points": 1234, "birthday": "1990-02-03", "street": "中央町1-2"}


@pytest.fixture(scope="module")
def content() -> CompiledContent:
    return compiled(
        signed=True,
        subject=LETTER.subject,
        preheader=LETTER.preheader,
        html=LETTER.html,
        text="",
        attributes=tuple(VALUES),
        honeypot=True,
        tracker="http://127.0.0.1:8081",
    )


def composed(content: CompiledContent, address: str = "hanako@example.com") -> Envelope:
    return content.compose(Recipient(1, MEMBER, address, VALUES), date=DATE)


def test_a_mail_of_ours_is_read_back_whole(content: CompiledContent) -> None:
    mail = read_mail(composed(content).message)
    assert mail.address == "hanako@example.com"
    assert mail.name == "髙橋 花子"
    assert mail.subject.startswith("髙橋 花子 様、")
    assert mail.campaign == "run1"
    assert len(mail.links) == LINKS
    assert all(link.startswith("http://127.0.0.1:8081/c/") for link in mail.links)
    assert mail.hidden is not None
    assert mail.hidden not in mail.links
    assert mail.pixel is not None
    assert mail.pixel.startswith("http://127.0.0.1:8081/o/")
    assert mail.unsubscribe is not None
    assert mail.unsubscribe.startswith("http://127.0.0.1:8081/u/")
    assert mail.faults == ()


def test_the_letter_is_about_10_kb_and_its_links_are_those_that_are_tracked(content: CompiledContent) -> None:
    assert 8_000 < len(LETTER.html.encode()) < 12_000
    assert content.links == LETTER.links


@pytest.mark.parametrize("address", ["taro.7.@docomo.ne.jp", "ta..ro7@ezweb.ne.jp"])
def test_a_carriers_odd_address_is_read_as_it_is(content: CompiledContent, address: str) -> None:
    envelope = composed(content, address)
    assert read_mail(envelope.message).address == address
    assert plain_address(envelope.recipient) == address


def test_a_mail_without_one_click_or_with_a_broken_part_is_at_fault(content: CompiledContent) -> None:
    message = composed(content).message
    bare = message.replace(b"List-Unsubscribe-Post: List-Unsubscribe=One-Click", b"X-Nothing: here")
    assert read_mail(bare).unsubscribe is None
    assert read_mail(message[: len(message) // 2]).faults
    assert read_mail(b"Subject: {{ name }}\r\n\r\nHello\r\n").faults == ("a part is missing", "a template tag is left")


def test_both_signatures_are_valid_by_the_records_shown_and_an_altered_byte_breaks_them(
    content: CompiledContent,
) -> None:
    records = [{"name": n, "type": t, "value": v} for n, t, v in dns_records("example.jp", dkim_keys())]
    zone = make_zone(records)
    message = composed(content).message
    assert valid_signatures(message, zone) == {"rsa-sha256", "ed25519-sha256"}
    assert valid_signatures(message[:-10] + b"x" + message[-9:], zone) == set()
    assert valid_signatures(message, {}) == set()


def test_what_somebody_does_is_decided_by_seed_campaign_and_address() -> None:
    addresses = [f"member.{number}@example.com" for number in range(4_000)]
    acts = [acts_of(1, "spring", address) for address in addresses]
    assert acts == [acts_of(1, "spring", address) for address in addresses]
    assert acts != [acts_of(2, "spring", address) for address in addresses]
    assert sum(one.opens > 0 for one in acts) / 4_000 == pytest.approx(OPENED, rel=0.1)
    assert sum(bool(one.clicks) for one in acts) / 4_000 == pytest.approx(CLICKED, rel=0.2)
    assert sum(one.unsubscribes > 0 for one in acts) / 4_000 == pytest.approx(LEFT, rel=0.4)
    assert any(one.unsubscribes == 2 for one in acts)
    assert any(one.looks and not one.unsubscribes for one in acts)
    assert any(len(one.clicks) > len(set(one.clicks)) for one in acts)
    assert all(one.opens for one in acts if one.clicks or one.unsubscribes)
    assert {rules().verdict(agent)[0] for one in acts for agent in (one.loader, one.browser)} == {"human"}


def test_nothing_is_seen_of_who_reads_behind_apples_proxy_but_their_clicks() -> None:
    acts = [acts_of(1, "spring", f"{Fate.PRIVATE.prefix}{number}@example.com") for number in range(1_000)]
    assert not any(one.opens for one in acts)
    assert any(one.clicks for one in acts)
    assert acts_of(1, "spring", f"{Fate.GUARDED.prefix}1@example.com") == NOTHING


def test_each_rule_that_tells_machines_is_played_by_one_that_no_other_would_tell() -> None:
    told = {fate: rules().verdict(sweep.agent)[1] for fate, sweep in SWEEPS.items()}
    assert told == {
        Fate.PRIVATE: "apple_privacy_proxy",
        Fate.GUARDED: "scanner",
        Fate.GUARDED_UNNAMED: None,
        Fate.GUARDED_WARILY: None,
    }
    unnamed, wary = SWEEPS[Fate.GUARDED_UNNAMED], SWEEPS[Fate.GUARDED_WARILY]
    assert (unnamed.hidden, unnamed.links < LINKS) == (True, True)
    assert (wary.hidden, wary.links) == (False, LINKS)
