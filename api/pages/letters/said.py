"""What the reader of a letter has pressed on the page behind its link."""

from collections.abc import Mapping
from types import MappingProxyType

from api.pages.forms import Form
from core.errors import NotFound
from scheduler.letters.store import Answer

ACTION = "action"

_BUTTONS: Mapping[str, Answer] = MappingProxyType({"accept": "accepted", "disown": "disowned"})


def said(form: Form) -> Answer:
    """Return the answer of the button that was pressed; raise NotFound for any other."""
    answer = _BUTTONS.get(form.text(ACTION))
    if answer is None:
        raise NotFound("There is no such answer")
    return answer
