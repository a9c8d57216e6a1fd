"""What letters say: whole in each language, composed without fault, signed, the account's words alone."""

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from uuid import UUID

import pytest

from core.tokens import SLOT_LETTER
from delivery.compose.compiled import Recipient, compile_content
from delivery.compose.content import Content, Sender
from delivery.envelope import Envelope
from scheduler.branding import Branding, BrandingFields
from scheduler.letters.content import language_of, letter_content, texts
from scheduler.letters.kinds import ALLOWED, Kind
from tests.support.dkim_oracle import verdicts
from tests.support.mails import RUN, SIGNER, dkim_keys, dkim_signer

SENDER = Sender("届く商店", "news@example.jp", None, "東京都千代田区1-1", "03-0000-0000", "example.jp")
BRANDING = Branding(UUID(int=1), "Todoku {{ Shop }} <&>", BrandingFields(language="ja"), 1)


def composed(kind: Kind, language: str) -> Envelope:
    made = letter_content(kind, language, BRANDING, SENDER, "https://my.example.jp")
    compiled = compile_content(
        Content.from_json(made.to_json()),
        run_id=RUN,
        tracker_url="https://t.example.jp",
        return_path_domain="bounce.example.jp",
        signer=SIGNER,
        dkim=dkim_signer(),
        list_id="news.example.jp",
        feedback_id="letter:a:letter:todoku",
    )
    values = {"name": "Buy now: http://evil.example"}
    return compiled.compose(
        Recipient(7, UUID(int=2), "taro@example.jp", values), date=datetime(2026, 12, 1, tzinfo=UTC)
    )


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("kind", list(Kind))
def test_a_letter_has_one_link_that_is_its_readers_own(kind: Kind, language: str) -> None:
    envelope = composed(kind, language)
    message = message_from_bytes(envelope.message, policy=policy.default)
    for subtype in ("html", "plain"):
        body = message.get_body((subtype,))
        assert body is not None
        said = body.get_content()
        links = set(re.findall(r"https?://[^\s\"<]+", said))
        assert len(links) == 1
        token = SIGNER.open(links.pop().removeprefix("https://my.example.jp/l/"))
        assert (token.run_id, token.seq, token.slot) == (RUN, 7, SLOT_LETTER)
        assert "evil" not in said
        assert "東京都千代田区1-1" in said
        assert ("Todoku {{ Shop }} <&>" if subtype == "plain" else "Todoku {{ Shop }} &lt;&amp;&gt;") in said
        assert "%(" not in said
    assert "Todoku {{ Shop }} <&>" in str(message["Subject"])


def test_a_letter_is_no_lists_mail_and_is_signed() -> None:
    envelope = composed(Kind.CONFIRM, "ja")
    message = message_from_bytes(envelope.message, policy=policy.default)
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["To"] == "taro@example.jp"
    for absent in ("List-Unsubscribe", "List-Unsubscribe-Post", "List-Id", "Precedence"):
        assert message[absent] is None
    assert b"t.example.jp" not in envelope.message
    assert verdicts(envelope.message, "example.jp", dkim_keys()) == [True, True]


@pytest.mark.parametrize("language", sorted(texts()))
def test_each_language_has_every_letter(language: str) -> None:
    assert texts()[language].keys() == {"common", *Kind}
    for kind in Kind:
        assert (
            {"subject", "text", "button"} <= texts()[language][kind].keys() <= {"subject", "text", "button", "closing"}
        )
        assert "\n" not in texts()[language][kind]["subject"]


def test_every_kind_has_its_law() -> None:
    assert ALLOWED.keys() == set(Kind)
    assert not any({"complained", "manual"} & allowed for allowed in ALLOWED.values())


@pytest.mark.parametrize(
    ("wanted", "language"), [("en-GB", "en"), ("ja", "ja"), ("fr", "ja"), (None, "ja"), ("JA-jp", "ja")]
)
def test_a_letter_speaks_its_members_language(wanted: str | None, language: str) -> None:
    assert language_of(wanted, BRANDING) == language
