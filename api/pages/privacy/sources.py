"""By what somebody consented, or took it back, in plain words: the names that the service itself writes down.

What an account wrote (the name of a form of its own, of an import) is shown as it is.
"""

from collections.abc import Callable, Mapping

from api.pages.language import mark as _

_SAID: Mapping[str, str] = {
    "sign-up form": _("the sign-up form"),
    "sign-up program": _("a form on another site"),
    "preferences": _("the page of your choices"),
    "unsubscribe undone": _("taking an unsubscribe back"),
    "unsubscribed": _("unsubscribing"),
    "left the topic": _("leaving a topic"),
    "complained": _("marking a mail as spam"),
    "erased": _("erasing"),
    "manual": _("the sender, by hand"),
}


def source_in_words(source: str, words: Callable[[str], str]) -> str:
    """Return what a record of the consent ledger came by; `words` gives a text in the reader's language."""
    return words(_SAID[source]) if source in _SAID else source
