"""The demo's comparison of what was done with what the report says."""

from dataclasses import replace
from typing import Any

import pytest

from deploy.demo.campaigns import AFTERWARDS, TOGETHER
from deploy.demo.ledger import CampaignLedger, Delivered, compare, rate_of
from deploy.demo.letters import LINKS
from deploy.demo.people import Fate, Person, make_people
from deploy.demo.verdict import CampaignResult, Check, Verdict

ALL = TOGETHER[0]
PEOPLE = make_people(200, 1)


def mail(person: Person, **changes: Any) -> Delivered:
    made = Delivered(
        campaign=ALL.key,
        address=person.address,
        received_at=1_000.0 + person.number,
        subject=f"{person.name} 様、春の新着のお知らせ",
        name=person.name,
        opens=0,
        clicks=(),
        unsubscribes=0,
        signatures=None,
        faults=(),
    )
    return replace(made, **changes)


@pytest.fixture
def ledger() -> CampaignLedger:
    """All people were sent to; those who do not bounce got it, three of them did something."""
    kept = CampaignLedger(ALL, {person.address: person for person in PEOPLE}, out={}, deferrals=True)
    takers = [person for person in PEOPLE if person.fate.failure is None]
    kept.add(mail(takers[0], opens=2, clicks=(3, 3, 5)))
    kept.add(mail(takers[1], opens=1, clicks=(3,)))
    kept.add(mail(takers[2], opens=1, unsubscribes=2))
    for person in takers[3:]:
        kept.add(mail(person))
    return kept


def report(ledger: CampaignLedger) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    figures = ledger.done(ledger.unsubscribed)
    urls = ALL.letter.links
    links = [
        {
            "url": url,
            "clicks": clicks,
            "unique_clicks": clickers,
            "human_clicks": human,
            "unique_human_clicks": people,
        }
        for url, (clicks, clickers, human, people) in zip(urls, ledger.links(), strict=True)
    ]
    return figures, links


def test_what_came_back_by_mail_is_counted_beside_what_was_accepted(ledger: CampaignLedger) -> None:
    before = ledger.done(())
    assert (before["bounces"], before["bounces_by_class"], before["complaints"]) == (0, {}, 0)
    fates = (Fate.RETURNED, Fate.ANNOYED, Fate.AWAY)
    back = {fate.returns: [person for person in PEOPLE if person.fate is fate] for fate in fates}
    for returns, people in back.items():
        for person in people:
            ledger.received[person.address] = mail(person, returns=returns)
    done = ledger.done(())
    assert (done["bounces"], done["bounces_by_class"], done["complaints"]) == (2, {"auto_reply": 2, "hard": 2}, 1)
    assert done["accepted"] == before["accepted"]


def test_what_was_done_is_counted_by_event_and_by_person(ledger: CampaignLedger) -> None:
    done = ledger.done(())
    assert done["snapshot"] == 200
    assert done["accepted"] == 196
    assert done["failed_by_reason"] == {"mailbox_full": 2, "no_such_user": 2}
    assert done["deferred"] == 2 * 1 + 2 * 2
    assert (done["opens"], done["unique_opens"]) == (4, 3)
    assert (done["clicks"], done["unique_clicks"]) == (4, 2)
    assert done["unsubscribes"] == 1
    assert ledger.links()[3] == (3, 2, 3, 2)
    assert ledger.links()[5] == (1, 1, 1, 1)
    assert len(ledger.links()) == LINKS
    assert not ledger.faults


def test_what_a_machine_asks_for_counts_in_all_totals_and_in_none_of_people(ledger: CampaignLedger) -> None:
    takers = [person for person in PEOPLE if person.fate.failure is None]
    ledger.people.add(takers[5].address, 0, (3,))
    ledger.machines.add(takers[5].address, 1, (3, 4))
    done = ledger.done(())
    assert (done["opens"], done["unique_opens"]) == (5, 4)
    assert (done["human_opens"], done["unique_human_opens"], done["machine_opens"]) == (4, 3, 1)
    assert (done["clicks"], done["unique_clicks"]) == (7, 3)
    assert (done["human_clicks"], done["unique_human_clicks"], done["machine_clicks"]) == (5, 3, 2)
    assert ledger.links()[3] == (5, 3, 4, 3)
    assert ledger.links()[4] == (1, 1, 0, 0)


def test_a_report_that_says_the_same_is_equal(ledger: CampaignLedger) -> None:
    assert all(row.equal for row in compare(ledger, ledger.unsubscribed, *report(ledger)))


@pytest.mark.parametrize(
    "figure", ["snapshot", "accepted", "human_opens", "unique_clicks", "machine_clicks", "unsubscribes", "waiting"]
)
def test_a_planted_difference_is_found(ledger: CampaignLedger, figure: str) -> None:
    figures, links = report(ledger)
    figures[figure] += 1
    [row] = [row for row in compare(ledger, ledger.unsubscribed, figures, links) if not row.equal]
    assert row.figure == figure
    assert row.reported == row.done + 1


def test_a_click_that_is_counted_at_another_link_is_found(ledger: CampaignLedger) -> None:
    figures, links = report(ledger)
    links[3]["clicks"] -= 1
    links[4]["clicks"] += 1
    assert [row.figure for row in compare(ledger, (), figures, links) if not row.equal] == ["links"]


def test_a_mail_that_came_to_nobody_is_missed_unless_its_recipient_had_left(ledger: CampaignLedger) -> None:
    lost = next(address for address, person in ledger.audience.items() if person.fate is Fate.ORDINARY)
    figures, links = report(ledger)
    del ledger.received[lost]
    wrong = {row.figure for row in compare(ledger, ledger.unsubscribed, figures, links) if not row.equal}
    assert wrong == {"accepted"}
    done = ledger.done({lost})
    assert (done["accepted"], done["suppressed"]) == (195, 1)
    assert done["suppressed_by_reason"] == {"unsubscribed": 1}


def test_strangers_second_mails_and_wrong_names_are_faults(ledger: CampaignLedger) -> None:
    takers = [person for person in PEOPLE if person.fate is Fate.ORDINARY]
    stranger = replace(takers[0], address="stranger@example.com")
    ledger.add(mail(stranger))
    ledger.add(mail(takers[5]))
    another = CampaignLedger(ALL, {takers[0].address: takers[0]}, out={}, deferrals=True)
    another.add(mail(takers[0], name="佐藤 誰か"))
    assert ledger.faults == {"sent to somebody who is not in the audience": 1, "sent twice": 1}
    assert another.faults == {"another's name in it": 1}


def test_nobody_is_put_off_again_in_the_campaign_afterwards() -> None:
    late = [person for person in PEOPLE if person.fate.deferrals]
    kept = CampaignLedger(AFTERWARDS, {person.address: person for person in late}, out={}, deferrals=False)
    for person in late:
        kept.add(mail(person))
    assert kept.done(())["deferred"] == 0
    assert len(kept.first_tries()) == len(late)


def test_the_rate_is_taken_from_the_first_mail_to_the_last() -> None:
    assert rate_of([10.0, 12.0, 11.0]) == 1.0
    assert rate_of([10.0]) == 0.0
    assert rate_of([]) == 0.0


def test_one_difference_or_one_failed_check_makes_the_verdict_bad(ledger: CampaignLedger) -> None:
    figures, links = report(ledger)
    result = CampaignResult(
        ledger, {"figures": figures, "lateness_ms": 12}, compare(ledger, ledger.unsubscribed, figures, links)
    )
    verdict = Verdict(members=200, rejects=0, results=[result], checks=[Check("so", 1, 1)])
    assert verdict.ok
    assert verdict.to_json()["campaigns"][0]["equal"]
    verdict.checks.append(Check("not so", 1, 2))
    assert not verdict.ok
    figures["opens"] += 1
    wrong = CampaignResult(ledger, result.report, compare(ledger, ledger.unsubscribed, figures, links))
    verdict = Verdict(members=200, rejects=0, results=[wrong])
    assert not verdict.ok
    assert verdict.to_json()["differences"][0]["figure"] == "opens"
