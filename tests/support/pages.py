"""Members' pages on their own database roles: what they stand on, and their app on a loopback port."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network

import asyncpg
from fastapi import FastAPI

from api.pages.choosing import Choosing
from api.pages.client_address import ClientAddresses
from api.pages.limits import RateLimits
from api.pages.page import Pages
from api.pages.services import Bounds, PageServices
from api.pages.signup.known import KnownForms
from api.pages.stamps import Stamps
from core.clock import Clock
from core.ids import IdSource
from core.tokens import LinkSigner
from deploy import http_server
from members.attributes import AttributeStore
from members.kek import Kek
from members.keyring import KeyRings
from members.passwords import Passwords
from members.proven import ProvenMembers
from members.segments import SegmentRules
from members.signup import SignupDesk
from members.topics import TopicStore
from scheduler.branding import BrandingStore
from scheduler.letters import LetterStore
from tracking.leaving import Leaving
from tracking.mails import MailStore
from tracking.unsubscribes import Unsubscribes


def page_services(
    main: asyncpg.Pool, members: asyncpg.Pool, kek: Kek, signer: LinkSigner, clock: Clock, new_id: IdSource
) -> PageServices:
    """What the pages' app is made of; the pools are of the pages' role."""
    rings = KeyRings(members, kek)
    leaving, proven = Leaving(main), ProvenMembers(members, rings, new_id)
    return PageServices(
        clock=clock,
        new_id=new_id,
        signer=signer,
        pages=Pages(),
        branding=BrandingStore(main),
        limits=RateLimits(main, signer),
        stamps=Stamps(signer, clock),
        clients=ClientAddresses([ip_network("10.0.0.0/8")]),
        url="https://my.example.jp",
        bounds=Bounds(per_network=1_000, per_account=1_000),
        attributes=AttributeStore(members, new_id),
        forms=KnownForms(clock),
        signups=SignupDesk(members, rings, new_id),
        letters=LetterStore(main),
        leaving=leaving,
        unsubscribes=Unsubscribes(main, clock),
        proven=proven,
        choosing=Choosing(leaving, proven),
        topics=TopicStore(members, new_id),
        segments=SegmentRules(members, rings),
        mails=MailStore(main),
        passwords=Passwords(members, rings),
        vault=members,
        random=os.urandom,
    )


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[int]:
    """Serve on a loopback port as the process does."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    stop, ready = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(
        http_server.serve(app, host="127.0.0.1", port=port, setting="port", stop=stop, on_ready=ready.set)
    )
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        yield port
    finally:
        waiting.cancel()
        stop.set()
        await serving
