"""Sign-up, the vault's side: forms that were sent come in sealed, find or make their member, and wait for a yes.

    new ──▶ lettered ──▶ waiting ──▶ ended (confirmed, or over)
     │          │           └──────▶ disowned: it was not they who asked
     └──▶ ended └──▶ ended: a member already

Whoever takes forms in (the desk) can only add one: it learns nothing of whether an address is known. What was typed is
a member's only once the address has said yes; until then the member is `pending`, with the address and nothing else.
"""

from members.signup.answering import SignupAnswers
from members.signup.desk import SignupDesk
from members.signup.request import SignupRequest
from members.signup.taking import Lettered, SignupTaking

__all__ = ["Lettered", "SignupAnswers", "SignupDesk", "SignupRequest", "SignupTaking"]
