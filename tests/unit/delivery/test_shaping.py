"""The rule file: what it says, what an operator may change, and what is refused at the start."""

from pathlib import Path

import pytest

from core.errors import ConfigurationError
from delivery.replies.reply import Reply, parse_reply
from delivery.shaping import Limits, Shaping, load
from delivery.shaping.warmup import cap_on

BUILT_IN = load()


def own(tmp_path: Path, text: str) -> Shaping:
    file = tmp_path / "own.toml"
    file.write_text(text)
    return load(file)


def said(line: str) -> Reply:
    code, _, text = line.partition(" ")
    return parse_reply("RCPT", int(code), text)


def names(shaping: Shaping, line: str, provider: str | None) -> set[str]:
    return {rule.name for rule in shaping.actions(said(line), provider)}


@pytest.mark.parametrize(
    ("hosts", "provider"),
    [
        (["gmail-smtp-in.l.google.com", "ALT1.gmail-smtp-in.l.google.com."], "gmail"),
        (["example-jp.mail.protection.outlook.com"], "outlook"),
        (["mx1.mail.yahoo.co.jp", "mx2.mail.yahoo.co.jp"], "yahoo_japan"),
        (["mta5.am0.yahoodns.net"], "yahoo"),
        (["mfsmax.docomo.ne.jp"], "docomo"),
        (["mx.example.jp"], None),
        (["notgoogle.com"], None),
        (["google.com.example.jp"], None),
        (["aspmx.l.google.com", "backup.example.jp"], None),
        ([], None),
    ],
)
def test_a_provider_is_known_by_all_of_its_hosts(hosts: list[str], provider: str | None) -> None:
    assert BUILT_IN.provider_of(hosts) == provider


def test_the_limits_of_large_receivers_are_those_that_they_are_known_to_take() -> None:
    assert BUILT_IN.limits("gmail") == Limits(connections=5, start=5, messages_per_connection=50, tls="required")
    assert BUILT_IN.limits("yahoo_japan").rate == 10
    assert BUILT_IN.limits("docomo").messages_per_connection <= 100
    assert BUILT_IN.limits(None) == BUILT_IN.limits("nobody") == Limits()


@pytest.mark.parametrize("rule", BUILT_IN.rules, ids=lambda rule: rule.name)
def test_every_rules_example_calls_for_it(rule: object) -> None:
    one = next(known for known in BUILT_IN.rules if known is rule)
    for provider in one.providers or {None}:
        assert one.name in names(BUILT_IN, one.example, provider)


@pytest.mark.parametrize(
    "line",
    [
        "550 5.1.1 The email account that you tried to reach does not exist.",
        "452 4.2.2 The email account that you tried to reach is over quota.",
        "451 4.7.1 Greylisting in action, please come back later",
        "552 5.3.4 Message size exceeds fixed maximum message size",
    ],
)
def test_what_concerns_one_mailbox_calls_for_nothing(line: str) -> None:
    for provider in (None, *BUILT_IN.providers):
        assert names(BUILT_IN, line, provider) == set()


def test_a_rule_of_one_provider_is_deaf_to_the_others() -> None:
    unusual = "421 4.7.28 Our system has detected an unusual rate of unsolicited mail"
    assert "gmail-unusual-rate" in names(BUILT_IN, unusual, "gmail")
    assert "gmail-unusual-rate" not in names(BUILT_IN, unusual, "outlook")
    assert "gmail-unusual-rate" not in names(BUILT_IN, unusual, None)


def test_an_operators_file_changes_just_what_it_names(tmp_path: Path) -> None:
    shaping = own(
        tmp_path,
        '[provider.gmail]\nconnections = 2\n\n[provider.partner]\nmx = ["partner.example"]\nrate = "30/min"\n\n'
        '[[rule]]\nname = "yahoo-tss04"\ndisabled = true\n',
    )
    assert shaping.limits("gmail") == Limits(connections=2, start=2, messages_per_connection=50, tls="required")
    assert shaping.limits("partner").rate == 0.5
    assert shaping.provider_of(["mx.partner.example"]) == "partner"
    assert "yahoo-tss04" not in {rule.name for rule in shaping.rules}
    assert len(shaping.rules) == len(BUILT_IN.rules) - 1


RULE = '[[rule]]\nname = "x"\nmatch = "%s"\naction = "%s"\nduration = "%s"\nexample = "450 go away"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[provider.gmail]\nconnections = 0", ["provider.gmail", "connections"]),
        ("[provider.gmail]\nconnections = true", ["connections"]),
        ('[provider.gmail]\nrate = "fast"', ["rate", "10/s"]),
        ('[provider.gmail]\nrate = "0/s"', ["rate"]),
        ('[provider.gmail]\nidle = "1 fortnight"', ["idle"]),
        ('[provider.gmail]\ntls = "always"', ["tls"]),
        ("[provider.gmail]\ncolour = 1", ["colour"]),
        ("[provider.new]\nconnections = 1", ["provider.new", "mx"]),
        ('[provider.new]\nmx = ["google.com"]', ["google.com", "gmail"]),
        ("[providers.gmail]\nconnections = 1", ["providers"]),
        ("rule = 3", ["tables"]),
        (RULE % ("go away", "shout", "2h"), ["rule x", "action"]),
        (RULE % ("go away", "slow", "2h"), ["connections", "rate"]),
        (RULE % ("go away", "suspend", "8d"), ["duration", "seven days"]),
        (RULE % ("go away", "suspend", "soon"), ["duration"]),
        (RULE % ("(go", "suspend", "2h"), ["match"]),
        (RULE % ("(a+)+", "suspend", "2h"), ["match", "repetition"]),
        (RULE % ("stay", "suspend", "2h"), ["example"]),
        (RULE % ("go away", "suspend", "2h") + 'provider = ["nobody"]\n', ["provider"]),
        (RULE % ("go away", "slow", "2h") + 'scope = "campaign"\nrate = "1/s"\n', ["campaign"]),
        ("connections = ", ["can't be read"]),
    ],
)
def test_a_wrong_file_stops_the_start_and_says_where(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as raised:
        own(tmp_path, text)
    for word in [*words, "own.toml"]:
        assert word in str(raised.value)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        own(tmp_path, '[provider.gmail]\nconnections = 0\n[provider.yahoo]\nrate = "fast"\n')
    assert "provider.gmail" in str(raised.value)
    assert "provider.yahoo" in str(raised.value)


def test_a_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        load(tmp_path / "nowhere.toml")


def test_a_warm_up_keeps_to_the_published_points_and_ends() -> None:
    caps = [cap_on(day) for day in range(40)]
    assert (caps[0], caps[12], caps[39]) == (20, 1_000, 10_000_000)
    assert caps == sorted(caps, key=lambda cap: cap or 0)
    assert cap_on(40) is None
