"""My page: who has signed in sees what there is, their mails, their sessions, and sets a password.

GET  /my/{account}                          my page, or the way in
GET  /my/{account}/mails                    the mails that were addressed to me, newest first
GET  /my/{account}/mails/{run}              one of them to read, and why I got it
POST /my/{account}/password                 set or change it (remove=yes: take it away)
POST /my/{account}/sessions/{id}/end        end another session
POST /my/{account}/sign-out
"""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from api.pages.language import locale_of
from api.pages.preferences.details import label
from api.pages.privacy import reasons
from api.pages.privacy.sources import source_in_words
from api.pages.services import From, PageServices
from api.pages.sessions import COOKIE, Visit, see, signed_in, visit_of
from api.pages.sign_in.page import sign_in_page
from api.pages.stamped import read_stamped
from api.pages.stamps import FIELD
from api.pages.web_version import reading as web_version
from api.pages.web_version.endpoints import FRAMED, Pictures
from core import ids
from members import passwords, sessions
from members.attributes import load_definitions
from members.built_in import NAME
from members.member import ConsentRecord
from scheduler.letters import Kind

router = APIRouter()

_MAILS = 30


@router.get("/my/{account}")
async def show(account: str, request: Request, services: From) -> Response:
    """Show my page, or the way in."""
    branding, signed = await signed_in(request, account)
    if signed is None:
        return sign_in_page(request, services, branding)
    return await _page(request, services, await visit_of(request, account))


async def _page(request: Request, services: PageServices, visit: Visit, *, weak: str | None = None) -> Response:
    proof = visit.proof
    async with services.proven.opened(proof) as mine:
        member = await mine.members.get(proof.account_id, proof.member_id)
        listed = await sessions.listed(mine.connection, proof)
        since = await passwords.since(mine.connection, proof)
        mails = await services.mails.page(proof.account_id, proof.member_id, limit=5)
        titled = await web_version.titled(services, mine, mails)
    return services.pages.render(
        request,
        "my_page.html",
        branding=visit.branding,
        member_locale=locale_of(member),
        status=400 if weak else 200,
        member=member,
        called=member.values.get(NAME) or member.address,
        sessions=[(str(one.session_id), one, one.session_id == visit.signed.session_id) for one in listed],
        password_since=since,
        weak=weak,
        mails=titled,
        path=visit.path,
        stamp=(FIELD, services.stamps.make(visit.subject)),
    )


@router.get("/my/{account}/mails")
async def list_mails(account: str, request: Request, services: From, before: str | None = None) -> Response:
    """List the mails that were addressed to me."""
    visit = await visit_of(request, account)
    mails = await services.mails.page(
        visit.proof.account_id,
        visit.proof.member_id,
        before=ids.decode("run", before) if before else None,
        limit=_MAILS,
    )
    async with services.proven.opened(visit.proof) as mine:
        titled = await web_version.titled(services, mine, mails)
    return services.pages.render(
        request,
        "mails.html",
        branding=visit.branding,
        mails=titled,
        older=ids.encode("run", mails[-1].run_id) if len(mails) == _MAILS else None,
        path=visit.path,
    )


@router.get("/my/{account}/mails/{run}")
async def read_mail(
    account: str, run: str, request: Request, services: From, *, pictures: Pictures = False
) -> Response:
    """Show a mail once more as it was addressed to me, and why I got it."""
    visit = await visit_of(request, account)
    run_id = ids.decode("run", run)
    account_id, member_id = visit.proof.account_id, visit.proof.member_id
    reading = await web_version.read_mail(services, visit.proof, run_id)
    async with services.proven.opened(visit.proof) as mine:
        records = await mine.members.consents(account_id, member_id)
        definitions = await load_definitions(mine.connection, account_id)
    locale = locale_of(reading.member)
    language = services.pages.language(request, visit.branding, member=locale)
    consent = reasons.consent_behind(records, reading.mail.starts_at)
    names = reasons.Names(
        lambda text: services.pages.words(language, text),
        reasons.topic_names(await services.topics.list(account_id), language),
        lambda attribute: label(attribute.label, attribute.name, language),
    )
    return services.pages.render(
        request,
        "mail.html",
        branding=visit.branding,
        member_locale=locale,
        headers=FRAMED,
        reading=reading,
        pictures=pictures,
        consent=consent,
        consented_by=source_in_words(consent.source, names.words) if consent else "",
        wording=await _wording(services, account_id, consent),
        rule=reasons.rule_behind(reading.mail.audience, definitions, await services.segments.rules(account_id), names),
        path=visit.path,
        own_path=f"{visit.path}/mails/{run}",
    )


@router.post("/my/{account}/password")
async def set_password(account: str, request: Request, services: From) -> Response:
    """Set, change or take away the password; other sessions end with it."""
    visit = await visit_of(request, account)
    form = await read_stamped(request, visit.subject)
    password = form.text("password")
    weak = None
    async with services.proven.opened(visit.proof) as mine:
        member = await mine.members.get(visit.proof.account_id, visit.proof.member_id)
        if form.has("remove"):
            await passwords.remove(mine.connection, visit.proof)
        else:
            known = [member.address, *member.address.split("@"), visit.branding.name]
            known += [value for value in member.values.values() if isinstance(value, str)]
            weak = passwords.weakness(password, known)
            if weak is None:
                await services.passwords.set(mine.connection, visit.proof, password)
        await sessions.end_others(mine.connection, visit.proof, visit.signed.session_id)
    if weak is not None:
        return await _page(request, services, visit, weak=weak)
    await services.letters.ask(
        Kind.PASSWORD_CHANGED,
        visit.proof.account_id,
        services.new_id(),
        visit.proof.member_id,
        language=locale_of(member) or None,
    )
    return see(f"{visit.path}?saved=password")


@router.post("/my/{account}/sessions/{session}/end")
async def end_session(account: str, session: str, request: Request, services: From) -> Response:
    """End another session."""
    visit = await visit_of(request, account)
    await read_stamped(request, visit.subject)
    async with services.proven.opened(visit.proof) as mine:
        for one in await sessions.listed(mine.connection, visit.proof):
            if str(one.session_id) == session:
                await sessions.end(mine.connection, visit.proof, one.session_id)
    return see(visit.path)


@router.post("/my/{account}/sign-out")
async def sign_out(account: str, request: Request, services: From) -> Response:
    """End this session."""
    visit = await visit_of(request, account)
    await read_stamped(request, visit.subject)
    async with services.proven.opened(visit.proof) as mine:
        await sessions.end(mine.connection, visit.proof, visit.signed.session_id)
    answer = see(visit.path)
    answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return answer


async def _wording(services: PageServices, account_id: UUID, consent: ConsentRecord | None) -> str | None:
    """Return what the form said by which somebody consented, None where that was not kept."""
    if consent is None or consent.form_version is None:
        return None
    content = await services.branding.wording(account_id, consent.form_version)
    text = (content or {}).get("text")
    return text if isinstance(text, str) else None
