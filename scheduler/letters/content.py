"""What a letter says: Todoku's words in the account's name and colours, as content that is composed like any other.

A letter holds nothing that a stranger could have typed into a form: no name, no value, only the account's own words. It
is not tracked, and has no way to unsubscribe, since it is no list's mail; its one link is the reader's own.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib import resources

from delivery.compose.content import LETTER_URL, Content, LetterFacts, Sender
from scheduler.branding import Branding
from scheduler.letters.kinds import TO_NEW_ADDRESS, Kind

FALLBACK = "en"


@cache
def texts() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """Return the letters' words by language and kind; another language is another file in `texts/`."""
    folder = resources.files(__package__ or "").joinpath("texts")
    return {
        file.name.removesuffix(".toml"): tomllib.loads(file.read_text(encoding="utf-8"))
        for file in sorted(folder.iterdir(), key=lambda one: one.name)
        if file.name.endswith(".toml")
    }


def language_of(wanted: str | None, branding: Branding) -> str:
    """Return the language of a letter: the one that is wanted (`ja`, `en-US`), else the account's, else English."""
    for name in (wanted or "", branding.fields.language):
        language = name.partition("-")[0].lower()
        if language in texts():
            return language
    return FALLBACK


def letter_content(kind: Kind, language: str, branding: Branding, sender: Sender, pages_url: str) -> Content:
    """Return the content of a kind of letter; `pages_url` has no slash at its end."""
    words = {name: text.replace("%(name)s", branding.name) for name, text in texts()[language][kind.value].items()}
    common = {name: text.replace("%(name)s", branding.name) for name, text in texts()[language]["common"].items()}
    return Content(
        subject=_literal(words["subject"]),
        preheader="",
        html=_html(language, words, common, branding, sender),
        text=_text(words, common, sender),
        sender=sender,
        track_opens=False,
        track_clicks=False,
        attributes=(LETTER_URL,),
        letter=LetterFacts(f"{pages_url}/l", to_new_address=kind in TO_NEW_ADDRESS),
    )


def _html(
    language: str, words: Mapping[str, str], common: Mapping[str, str], branding: Branding, sender: Sender
) -> str:
    accent = branding.fields.accent
    button = (
        f'<p style="margin:28px 0"><a href="{{{{ {LETTER_URL} }}}}" style="display:inline-block;padding:14px 28px;'
        f'border-radius:9px;background:{accent};color:#ffffff;font-weight:bold;text-decoration:none">'
        f"{_escaped(words['button'])}</a></p>"
        f'<p style="font-size:13px;color:#55616e">{_escaped(common["copy"])}<br>{{{{ {LETTER_URL} }}}}</p>'
    )
    said = "".join(f"<p>{_escaped(part)}</p>" for part in words["text"].strip().split("\n"))
    closing = "".join(f"<p>{_escaped(part)}</p>" for part in words.get("closing", "").strip().split("\n") if part)
    foot = "<br>".join(_escaped(line) for line in _foot(common, sender))
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"></head>'
        '<body style="margin:0;padding:24px;background:#eef1f4;font-family:sans-serif;color:#1c2530;line-height:1.7">'
        '<div style="max-width:560px;margin:0 auto;padding:32px;background:#ffffff;border-radius:12px">'
        f'<p style="font-weight:bold;color:{accent}">{_escaped(branding.name)}</p>'
        f"{said}{button}{closing}"
        '<p style="margin-top:28px;padding-top:12px;border-top:1px solid #cccccc;font-size:12px;color:#55616e">'
        f"{foot}</p>"
        "</div></body></html>"
    )


def _text(words: Mapping[str, str], common: Mapping[str, str], sender: Sender) -> str:
    parts = [words["text"].strip(), f"{words['button']}:", words.get("closing", "").strip(), "--------------------"]
    said = [_literal(part) for part in parts]
    said.insert(2, f"{{{{ {LETTER_URL} }}}}")
    return "\n\n".join([*(part for part in said if part), "\n".join(map(_literal, _foot(common, sender)))]) + "\n"


def _foot(common: Mapping[str, str], sender: Sender) -> list[str]:
    return [sender.name, sender.postal_address, f"{common['contact']}: {sender.contact}"]


def _escaped(text: str) -> str:
    return _literal(escape(text))


def _literal(text: str) -> str:
    """Write a text so that the template language prints it as it is, whatever braces an account has in its name."""
    return text.replace("{", "{{ '{' }}")
