"""Letters: mail to one member outside of any campaign, by the one way that mail goes.

Whoever wants one calls `send_letters`, which adds a row; a worker takes the rows up in batches, looks what the law of
each kind allows to whom, and makes runs of them (dispatch.py), as a test send is one. What its link leads to is found
by `LetterStore`.

Failure model. A letter's id is its sender's: asked for twice it is sent once. A batch is one transaction: rows stay as
they were until their run is there. What nobody may be sent is `dropped`, with the reason.
"""

from scheduler.letters.asking import send_letters
from scheduler.letters.dispatch import LetterDispatch
from scheduler.letters.kinds import Kind
from scheduler.letters.store import Letter, LetterStore

__all__ = ["Kind", "Letter", "LetterDispatch", "LetterStore", "send_letters"]
