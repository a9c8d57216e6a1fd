"""/v1/members/{id}/export: everything that is held on one person, as JSON, streamed, and noted in the audit log."""

from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any
from uuid import UUID

import orjson
from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from api.auth import By, Requires
from api.members.schemas import ConsentsShown, MemberShown, shown, shown_consents
from api.route import Route
from api.services import From, Services
from api.values import MemberPath
from core import ids
from members.suppressions import Suppression
from tracking.mails import Mail, Stop

router = APIRouter(prefix="/v1/members", tags=["members"], route_class=Route)


class Everything(StreamingResponse):
    """A JSON object: `member`, `consents`, `suppression`, `stops`, and last `mails`, which may be many."""

    media_type = "application/json"


@router.get("/{member_id}/export", dependencies=[Requires("members:export")], response_class=Everything)
async def export_member(member_id: MemberPath, by: By, services: From) -> Everything:
    """Download everything held on one member: profile, groups, consents, suppression, mails and what came of them."""
    member = await services.members.get(by.account_id, member_id)
    name = ids.encode("mem", member_id)
    await services.audit.record(by.account_id, by.actor, "member.exported", name)
    consents = shown_consents(await services.members.consents(by.account_id, member_id))
    suppression = await services.suppressions.find(by.account_id, member.address)
    stops = await services.mails.stops(by.account_id, member_id)
    return Everything(
        _pieces(services, by.account_id, member_id, _head(shown(member, None), consents, suppression, stops)),
        headers={"Content-Disposition": f'attachment; filename="{name}.json"'},
    )


def _head(
    member: MemberShown, consents: ConsentsShown, suppression: Suppression | None, stops: list[Stop]
) -> dict[str, Any]:
    return {
        "member": member.model_dump(mode="json"),
        "consents": consents.model_dump(mode="json")["items"],
        "suppression": suppression
        and {"scope": suppression.scope, "reason": suppression.reason, "occurred_at": suppression.occurred_at},
        "stops": [asdict(stop) for stop in stops],
    }


async def _pieces(services: Services, account_id: UUID, member_id: UUID, head: dict[str, Any]) -> AsyncIterator[bytes]:
    yield orjson.dumps(head)[:-1] + b',"mails":['
    between = b""
    async for mail in services.mails.sent(account_id, member_id):
        yield between + orjson.dumps(_shown(mail))
        between = b","
    yield b"]}"


def _shown(mail: Mail) -> dict[str, Any]:
    shown = {"run_id": ids.encode("run", mail.run_id), "campaign_id": None}
    if mail.campaign_id is not None:
        shown["campaign_id"] = ids.encode("cmp", mail.campaign_id)
    return asdict(mail) | shown
