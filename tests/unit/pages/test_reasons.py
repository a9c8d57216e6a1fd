"""Why a mail came, in plain words: each kind of condition, and nothing of what is somebody else's affair."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from api.pages.language import load_catalogues
from api.pages.privacy.reasons import Names, consent_behind, rule_behind, said
from api.pages.privacy.sources import source_in_words
from members.attribute import Attribute
from members.member import ConsentRecord
from members.rules.tree import (
    All,
    AnyOf,
    Consented,
    HasStatus,
    InGroup,
    InTopic,
    LastSeen,
    Mailed,
    Not,
    Rule,
)
from members.rules.tree import Test as Compared

TOPIC, OTHER = UUID(int=1), UUID(int=2)
WORDS = {language: catalogue.gettext for language, catalogue in load_catalogues().items()}


def names(language: str) -> Names:
    return Names(WORDS[language], {TOPIC: "Weekly"}, lambda attribute: attribute.label[language])


def attribute(protection: Any) -> Attribute:
    label = {"en": "City", "ja": "都市"}
    return Attribute(
        OTHER, "city", "city", "text", protection, label, (), required=False, ask_at_signup=False, used=True, revision=1
    )


RULES: list[tuple[Rule, str, str]] = [
    (InTopic(TOPIC), "you chose the topic “Weekly”", "「Weekly」を選んでいる"),
    (InTopic(OTHER), "you chose the topic “?”", "「?」を選んでいる"),
    (Compared(attribute("open"), "equals", ("Tokyo", "Osaka")), "“City” is compared with: Tokyo, Osaka", "Osaka"),
    (Compared(attribute("sealed"), "equals", ("Tokyo",)), "what we hold as “City”", "都市"),
    (Compared(attribute("matchable"), "equals", ("Tokyo",)), "what we hold as “City”", "都市"),
    (Not(InTopic(TOPIC)), "not: you chose the topic “Weekly”", "Weekly"),
    (All((InTopic(TOPIC), HasStatus(("active",)))), "“Weekly” and the state of your subscription", "Weekly"),
    (AnyOf((InGroup(OTHER), Consented(given=True))), "put together or when or how you consented", "または"),
    (Mailed("opened", OTHER), "an earlier mail", "以前"),
    (LastSeen("last_open", days=9), "when you last opened a mail", "最後に"),
]


@pytest.mark.parametrize(("rule", "english", "japanese"), RULES, ids=lambda part: type(part).__name__)
def test_each_condition_is_said_in_the_readers_language(rule: Rule, english: str, japanese: str) -> None:
    assert english in said(rule, names("en"))
    assert japanese in said(rule, names("ja"))


@pytest.mark.parametrize("protection", ["sealed", "matchable"])
def test_a_value_that_is_not_open_is_never_said(protection: str) -> None:
    assert "Tokyo" not in said(Compared(attribute(protection), "equals", ("Tokyo",)), names("en"))


def test_a_rule_that_can_no_longer_be_read_is_said_to_be_kept_no_more() -> None:
    wanted = {"segments": [str(OTHER)]}
    assert rule_behind(wanted, {}, {}, names("en")) == ["A list that the sender no longer keeps"]
    assert rule_behind({"all": True}, {}, {}, names("en")) == []


def test_the_consent_behind_a_mail_is_the_last_one_to_all_mail_before_it() -> None:
    def record(day: int, scope: str = "all", kind: Any = "given") -> ConsentRecord:
        at = datetime(2026, 4, day, tzinfo=UTC)
        return ConsentRecord(kind, scope, f"form {day}", None, at, at, None, None, day, b"")

    records = [record(1), record(2), record(3, kind="withdrawn"), record(4, scope="topic:x"), record(9)]
    found = consent_behind(records, datetime(2026, 4, 5, tzinfo=UTC))
    assert found is not None
    assert found.source == "form 2"
    assert consent_behind(records[1:], datetime(2026, 4, 1, tzinfo=UTC)) is None


def test_a_source_is_said_in_words_unless_an_account_wrote_it() -> None:
    assert source_in_words("preferences", WORDS["en"]) == "the page of your choices"
    assert source_in_words("preferences", WORDS["ja"]) == "配信設定のページ"
    assert source_in_words("2026-form", WORDS["ja"]) == "2026-form"
