"""Each rule of rules.toml by the examples that stand beside it, and by what must not meet it."""

import pytest

from core.errors import ConfigurationError
from tests.support.tracker import READER
from tracking.machines.rules import MAX_AGENT, AgentRule, load, read

RULES = load()

PEOPLE = (
    READER,
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 11; CUBOT NOTE 20) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/99.0 Mobile Safari",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.0",
    "DoCoMo/2.0 SH10C(c500;TB;W24H16)",
    "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17328; Pro)",
)


@pytest.mark.parametrize("rule", RULES.agents, ids=lambda rule: rule.name)
def test_a_rule_decides_its_own_examples(rule: AgentRule) -> None:
    assert rule.examples
    for example in rule.examples:
        agent = RULES.agent(example.encode())
        assert (agent.label, agent.rule) == (rule.label, rule.name)


@pytest.mark.parametrize("text", PEOPLE)
def test_what_people_read_mail_with_meets_no_rule(text: str) -> None:
    agent = RULES.agent(text.encode())
    assert (agent.label, agent.rule, agent.text) == ("human", None, text)


def test_every_name_is_given_once() -> None:
    names = [rule.name for rule in RULES.agents] + ["honeypot", "every_link", "soon_after_delivery"]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("header", "value", "counts"),
    [
        (b"purpose", b"prefetch", False),
        (b"sec-purpose", b"Prefetch;prerender", False),
        (b"x-moz", b"prefetch", False),
        (b"x-purpose", b"preview", False),
        (b"purpose", b"reading", True),
        (b"accept", b"prefetch", True),
    ],
)
def test_what_a_browser_fetches_unasked_counts_nothing(header: bytes, value: bytes, *, counts: bool) -> None:
    assert RULES.counts(header, value) is counts


def test_an_agents_text_is_bounded_and_plain() -> None:
    agent = RULES.agent(b"M\xe9ller\x00\t" + b"x" * 1_000)
    assert agent.text.startswith("M?ller??x")
    assert len(agent.text) == MAX_AGENT
    assert RULES.agent(agent.text.encode()) == agent
    assert (RULES.agent(b"").digest, RULES.agent(b"").label) == (0, "machine")


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        (b"Reader of taro@example.jp", "Reader of ?"),
        (b"Crawler/1.0 (+mailto:Taro.Yamada+news@example.jp; v2)", "Crawler/1.0 (?; v2)"),
        (b"Reader taro%40example.jp/2", "Reader ?"),
        (b"taro@" + b"x" * MAX_AGENT, "?"),
    ],
)
def test_an_address_in_an_agents_text_is_not_kept(header: bytes, kept: str) -> None:
    assert RULES.agent(header).text == kept


def test_a_file_that_is_not_sound_is_refused_by_the_rules_name() -> None:
    rule = '[[agent]]\nname = "odd"\nlabel = "{}"\nphrases = [\'{}\']\nexamples = []\n'
    for text in (rule.format("ghost", "x"), rule.format("machine", "(")):
        with pytest.raises(ConfigurationError, match="odd"):
            read("[unasked]\n" + text)
    with pytest.raises(ConfigurationError, match="the file"):
        read("[unasked")
