"""Takes a form only if we gave it out, of late, for this link or session, and if our own page sent it."""

from fastapi import Request

from api.pages.errors import Misdirected
from api.pages.forms import Form, read_form, require_same_site
from api.pages.services import services_of
from api.pages.stamps import FIELD


async def read_stamped(request: Request, subject: str) -> Form:
    """Read a form that was stamped for `subject`; raise Misdirected or Unreadable."""
    require_same_site(request)
    form = await read_form(request)
    if services_of(request).stamps.judge(subject, form.text(FIELD)) != "good":
        raise Misdirected
    return form
