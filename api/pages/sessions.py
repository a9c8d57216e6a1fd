"""Who has signed in: the cookie that a session is kept by, and the page that asks for one."""

from dataclasses import dataclass
from uuid import UUID

from fastapi import Request, Response

from api.pages.accounts import branding_of
from api.pages.services import PageServices, services_of
from core import ids
from core.errors import TodokuError
from members import sessions
from members.proven import Proof
from members.sessions import Signed
from scheduler.branding import Branding

COOKIE = "__Host-session"


class SignInFirst(TodokuError):  # noqa: N818 - named by meaning
    """Nobody has signed in here; `path` is where one does."""

    code = "sign-in-first"
    title = "Sign in first"

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of who has signed in to an account's pages. `subject`: what its forms are stamped for."""

    proof: Proof
    signed: Signed
    branding: Branding
    path: str

    @property
    def subject(self) -> str:
        """The session's own name."""
        return str(self.signed.session_id)


async def signed_in(request: Request, account: str | UUID) -> tuple[Branding, Signed | None]:
    """Return an account's branding, and who has signed in to it, if anybody; raise NotFound."""
    branding = await branding_of(request, account)
    cookie = request.cookies.get(COOKIE)
    signed = await sessions.find(services_of(request).vault, cookie) if cookie else None
    return branding, signed if signed and signed.proof.account_id == branding.account_id else None


async def visit_of(request: Request, account: str) -> Visit:
    """Return who has signed in to an account's pages; raise SignInFirst or NotFound."""
    branding, signed = await signed_in(request, account)
    if signed is None:
        raise SignInFirst(home_of(branding))
    return Visit(signed.proof, signed, branding, home_of(branding))


def home_of(branding: Branding) -> str:
    """Return the path of an account's page for its members."""
    return f"/my/{ids.encode('acc', branding.account_id)}"


async def welcome(services: PageServices, proof: Proof, branding: Branding) -> Response:
    """Begin a session for who has proven to be a member, and lead to their page."""
    async with services.proven.opened(proof) as mine:
        cookie = await sessions.begin(mine.connection, proof, services.new_id(), services.random)
    answer = see(home_of(branding))
    answer.set_cookie(
        COOKIE, cookie, max_age=int(sessions.LIFETIME_SECONDS), path="/", secure=True, httponly=True, samesite="lax"
    )
    return answer


def see(path: str) -> Response:
    """Lead a browser on to `path`, one of our own and safe as it is, after a form was taken."""
    return Response(status_code=303, headers={"Location": path, "Cache-Control": "no-store"})


async def on_sign_in_first(_request: Request, error: Exception) -> Response:
    """Lead to where one signs in."""
    return see(error.path if isinstance(error, SignInFirst) else "/")
