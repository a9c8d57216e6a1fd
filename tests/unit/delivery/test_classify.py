import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delivery.replies.classify import _ADDRESS, Row, Rule, classify, table
from delivery.replies.reply import Command, Reply, parse_reply
from delivery.replies.verdict import GONE, Reason

_LINE = re.compile(r"(\d{3})[ -](.*)")
_PROVIDERS = tomllib.loads(Path(__file__).with_name("providers.toml").read_text("utf-8"))

CLASSES = {
    "hard": {"no_such_user", "no_such_domain", "refused", "mailbox_disabled"},
    "soft": {
        *{"mailbox_full", "message_too_large", "throttled", "greylisted", "temporary", "unavailable"},
        "expired",
    },
    "policy": {"spam", "authentication", "reputation", "policy"},
    "protocol": {"protocol", "unsendable"},
    "unknown": {"unknown", "connection_lost", "accepted"},
}


def read(line: str, command: Command = "RCPT") -> Reply:
    found = _LINE.fullmatch(line)
    assert found is not None
    return parse_reply(command, int(found[1]), found[2])


def test_every_reason_is_in_one_class() -> None:
    assert {reason.value: reason.kind for reason in Reason} == {
        reason: kind for kind, reasons in CLASSES.items() for reason in reasons
    }


ROWS = [pytest.param(rule, row, id=row.example[:50]) for rule in table().rules for row in rule.rows]
"""Every phrase of the table with its rule."""

SAID = [
    pytest.param(*said, id=f"{by} {said[4][:40]}") for by, provider in _PROVIDERS.items() for said in provider["said"]
]
"""What the large providers and carriers are known to say, and what it has to come to."""


@pytest.mark.parametrize(("rule", "row"), ROWS)
def test_every_phrase_is_found_in_its_own_example_and_decides_it(rule: Rule, row: Row) -> None:
    reply = read(row.example, row.command)
    assert re.search(row.phrase, _ADDRESS.sub("[address]", reply.text), re.IGNORECASE)
    verdict = classify(reply)
    assert (verdict.reason, verdict.outcome) == (rule.reason, row.outcome)
    assert verdict.suppress == (verdict.reason in GONE and verdict.outcome == "failed")


@pytest.mark.parametrize(("command", "kind", "outcome", "reason", "line"), SAID)
def test_what_the_large_receivers_say_is_understood(
    command: Command, kind: str, outcome: str, reason: str, line: str
) -> None:
    verdict = classify(read(line, command))
    assert (verdict.reason.kind, verdict.outcome, verdict.reason) == (kind, outcome, reason)
    assert verdict.suppress == (outcome == "failed" and reason in {"no_such_user", "no_such_domain"})


def test_no_receiver_that_matters_is_left_out() -> None:
    assert set(_PROVIDERS) >= {
        *("Gmail", "Outlook.com and Hotmail", "Exchange Online", "Exchange Server", "Yahoo and AOL", "Yahoo! JAPAN"),
        *("iCloud", "docomo", "au", "SoftBank", "Rakuten", "GMX and web.de", "Orange", "Comcast"),
        *("Postfix", "Exim", "Sendmail"),
    }


def test_a_250_to_the_body_is_accepted() -> None:
    verdict = classify(read("250 2.0.0 Ok: queued as 4F2", "BODY"))
    assert (verdict.outcome, verdict.reason, verdict.suppress) == ("accepted", Reason.ACCEPTED, False)


@pytest.mark.parametrize("command", ["CONNECT", "EHLO", "STARTTLS", "AUTH"])
@pytest.mark.parametrize("line", ["550 5.1.1 User unknown", "554 go away", "535 5.7.8 bad", "556 no mail"])
def test_a_refusal_before_any_recipient_is_the_relays_fault(command: Command, line: str) -> None:
    verdict = classify(read(line, command))
    assert verdict.outcome == "deferred"
    assert not verdict.suppress
    assert verdict.reason not in GONE


def test_a_421_is_deferred_wherever_it_comes() -> None:
    for command in ("MAIL", "RCPT", "DATA", "BODY"):
        verdict = classify(read("421 4.1.1 User unknown", command))  # type: ignore[arg-type]
        assert (verdict.outcome, verdict.suppress) == ("deferred", False)
        assert verdict.reason not in GONE


def test_a_demand_for_credentials_does_not_fail_the_message() -> None:
    verdict = classify(read("530 5.7.0 Authentication required", "MAIL"))
    assert (verdict.outcome, verdict.reason) == ("deferred", Reason.AUTHENTICATION)


def test_a_refused_sender_is_our_trouble_and_never_suppresses_the_recipient() -> None:
    verdict = classify(read("550 5.1.1 User unknown", "MAIL"))
    assert (verdict.outcome, verdict.reason, verdict.suppress) == ("failed", Reason.POLICY, False)


@pytest.mark.parametrize(
    "line",
    [
        "550 5.1.1 User unknown, please try again",
        "550 5.1.1 User temporarily unknown",
        "550 5.1.1 Over the quota, user unknown",
        "550 5.1.1 No such user, or it prefers not to have it: recipient preferences",
        "550 5.1.2 Host not found, try again",
        "550 5.1.1 Account suspended",
    ],
)
def test_who_may_still_be_there_is_not_suppressed(line: str) -> None:
    verdict = classify(read(line))
    assert verdict.outcome == "failed"
    assert not verdict.suppress


def test_what_is_refused_for_good_by_a_temporary_code_is_only_put_off() -> None:
    verdict = classify(read("450 Requested mail action not taken: mailbox unavailable"))
    assert (verdict.outcome, verdict.reason) == ("deferred", Reason.TEMPORARY)


def test_a_carriers_unknown_user_is_only_believed_where_the_recipient_is_named() -> None:
    assert classify(read("550 Unknown user taro@docomo.ne.jp", "RCPT")).suppress
    assert not classify(read("550 Unknown user taro@docomo.ne.jp", "BODY")).suppress


@pytest.mark.parametrize(
    "line",
    [
        "550 5.1.1 Rejected by policy",
        "550 5.1.1 User unknown; mail blocked for abuse",
        "550 5.1.1 Message rejected as spam",
        "550 5.1.2 Domain not found for sender",
        "550 Recipient unknown, access denied",
    ],
)
def test_policy_in_the_text_outweighs_a_missing_user_in_the_codes(line: str) -> None:
    assert not classify(read(line)).suppress


def test_words_in_the_recipients_own_address_decide_nothing() -> None:
    verdict = classify(read("550 5.1.1 <spam-policy@example.jp>: User unknown"))
    assert (verdict.reason, verdict.suppress) == (Reason.NO_SUCH_USER, True)
    assert classify(read("550 <no.such.user@example.jp> go away")).reason == Reason.UNKNOWN


@pytest.mark.parametrize(
    ("line", "command", "reason"),
    [
        ("550 5.1.1 x", "RCPT", Reason.NO_SUCH_USER),
        ("550 5.1.2 x", "RCPT", Reason.NO_SUCH_DOMAIN),
        ("452 4.2.2 x", "RCPT", Reason.MAILBOX_FULL),
        ("552 x", "RCPT", Reason.MAILBOX_FULL),
        ("552 x", "MAIL", Reason.MESSAGE_TOO_LARGE),
        ("552 5.3.4 x", "BODY", Reason.MESSAGE_TOO_LARGE),
        ("452 4.3.1 x", "MAIL", Reason.UNAVAILABLE),
        ("452 x", "RCPT", Reason.THROTTLED),
        ("550 x", "RCPT", Reason.UNKNOWN),
        ("451 x", "RCPT", Reason.TEMPORARY),
        ("556 x", "RCPT", Reason.NO_SUCH_DOMAIN),
        ("550 5.7.999 x", "RCPT", Reason.POLICY),
    ],
)
def test_without_a_telling_text_the_codes_decide(line: str, command: Command, reason: Reason) -> None:
    assert classify(read(line, command)).reason == reason


def test_a_missing_user_in_a_4xx_waits_and_suppresses_no_one() -> None:
    verdict = classify(read("450 4.1.1 Recipient address rejected: User unknown"))
    assert (verdict.outcome, verdict.reason, verdict.suppress) == ("deferred", Reason.NO_SUCH_USER, False)


def test_the_enhanced_code_is_taken_off_every_line() -> None:
    reply = parse_reply("RCPT", 550, "5.1.1 The account\n5.1.1 does not exist")
    assert (reply.enhanced, reply.text) == ("5.1.1", "The account does not exist")


def test_a_first_line_may_be_nothing_but_the_enhanced_code() -> None:
    reply = parse_reply("RCPT", 550, "5.1.1\n5.1.1 does not exist")
    assert (reply.enhanced, reply.text) == ("5.1.1", "does not exist")


def test_only_what_stands_at_a_lines_start_is_a_code() -> None:
    reply = parse_reply("RCPT", 550, "5.1.1 no version\n5.1.1 before 5.2.1 here")
    assert reply.text == "no version before 5.2.1 here"


def test_a_long_text_is_cut_between_words() -> None:
    text = parse_reply("RCPT", 550, "word " * 399 + "taro.yamada@example.jp").text
    assert text == ("word " * 399).strip()
    assert parse_reply("RCPT", 550, "x" * 2_001).text == ""
    assert parse_reply("RCPT", 550, "x" * 1_999 + " y").text == "x" * 1_999


def test_an_enhanced_code_of_another_class_is_ignored() -> None:
    assert parse_reply("RCPT", 451, "5.1.1 later").enhanced is None


@settings(max_examples=200, deadline=None)
@given(
    command=st.sampled_from(["CONNECT", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "BODY"]),
    code=st.integers(200, 599),
    text=st.text(max_size=80) | st.from_regex(r"[245]\.\d{1,3}\.\d{1,3} [ -~]{0,40}", fullmatch=True),
)
def test_any_reply_gets_one_verdict_that_keeps_the_rules(command: Command, code: int, text: str) -> None:
    verdict = classify(parse_reply(command, code, text))
    assert verdict.outcome in {"accepted", "deferred", "failed"}
    assert (verdict.outcome == "accepted") == (command == "BODY" and code < 300)
    assert not verdict.suppress or (verdict.reason in GONE and code >= 500 and command in {"RCPT", "DATA", "BODY"})


@settings(max_examples=100, deadline=None)
@given(
    before=st.text(max_size=30),
    word=st.sampled_from(["policy", "blocked", "spam", "reputation", "DMARC", "denied"]),
    enhanced=st.sampled_from(["5.1.1", "5.1.2", "5.1.10"]),
)
def test_no_text_that_speaks_of_policy_ever_suppresses(before: str, word: str, enhanced: str) -> None:
    assert not classify(Reply("RCPT", 550, enhanced, f"User unknown {before} / {word} / ")).suppress
