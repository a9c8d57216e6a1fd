"""The people at their mailboxes, in processes of their own: they fetch mails, read them, and do what people do.

Each call takes a range of the mailbox; several run at once, in the background of the sending (niced).
"""

import asyncio
import os
import signal
import threading
from binascii import a2b_base64
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import connection, parent_process

import httpx
import orjson

from deploy.demo import answers
from deploy.demo.behaviour import NOTHING, Acts, acts_of
from deploy.demo.ledger import Delivered
from deploy.demo.mail import Mail, plain_address, read_mail
from deploy.demo.people import returns_of
from deploy.demo.signatures import valid_signatures

AT_ONCE = 16
_SECONDS = 30.0
_NICE = 5
_PIXEL, _REDIRECT, _TO_PAGES, _DONE = ("image/gif", 200), ("", 302), ("", 303), ("text/plain", 200)


@dataclass(frozen=True, slots=True)
class World:
    """What the people know: `keys` name a campaign by the id in its mails, `targets` are the links it was made with.

    The signatures of each mail whose number is a multiple of `judged_every` are judged by the answers of `zone`. What
    comes back by mail goes to `inbound`.
    """

    mailbox_url: str
    seed: int
    keys: Mapping[str, str]
    targets: Mapping[str, Sequence[str]]
    zone: Mapping[bytes, bytes]
    judged_every: int
    inbound: tuple[str, int]


class _Recipients:
    def __init__(self, world: World) -> None:
        self.world = world
        self.runner = asyncio.Runner()
        # Loopback only: no proxies, no certificates. Redirects are looked at, never followed.
        self.http = httpx.AsyncClient(
            trust_env=False, verify=False, follow_redirects=False, timeout=_SECONDS,  # noqa: S501
            limits=httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE),
        )  # fmt: skip


_here: _Recipients | None = None


def settle(world: World) -> None:
    """Make this process one of recipients: it ends with its parent, and Ctrl-C is the parent's affair."""
    global _here  # noqa: PLW0603 - a process of an executor has no other place to keep what its calls share
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError):
        os.nice(_NICE)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    _here = _Recipients(world)


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(0)


def receive(after: int, limit: int) -> list[Delivered]:
    """Read the `limit` mails behind the number `after`, and do what their recipients do."""
    if _here is None:
        raise RuntimeError("This process was not settled")
    return _here.runner.run(_receive(_here, after, limit))


async def _receive(here: _Recipients, after: int, limit: int) -> list[Delivered]:
    answer = await here.http.get(
        f"{here.world.mailbox_url}/messages.jsonl", params={"after": after, "limit": limit, "raw": "true"}
    )
    answer.raise_for_status()
    busy = asyncio.Semaphore(AT_ONCE)

    async def handle(line: bytes) -> Delivered:
        async with busy:
            return await _handle(here, orjson.loads(line))

    return list(await asyncio.gather(*(handle(line) for line in answer.content.splitlines())))


async def _handle(here: _Recipients, entry: Mapping[str, object]) -> Delivered:
    world = here.world
    raw = a2b_base64(str(entry["raw"]))
    mail = read_mail(raw)
    faults = list(mail.faults)
    recipients = entry["rcpt_to"]
    if not isinstance(recipients, list) or [plain_address(str(one)) for one in recipients] != [mail.address]:
        faults.append("the envelope's recipient is not the one in To")
    key = world.keys.get(mail.campaign, "")
    targets = world.targets.get(key, ())
    if len(mail.links) != len(targets):
        faults.append("links are missing")
    returns = returns_of(mail.address)
    acts = acts_of(world.seed, key, mail.address) if targets and returns is None else NOTHING
    if returns and not await _answer(world, returns, raw, str(entry["mail_from"]), mail.address):
        faults.append(f"a {returns} was not taken")
    await _act(here.http, mail, acts, targets, faults)
    number = int(str(entry["id"]))
    return Delivered(
        campaign=key,
        address=mail.address,
        received_at=datetime.fromisoformat(str(entry["received_at"])).timestamp(),
        subject=mail.subject,
        name=mail.name,
        opens=acts.opens,
        clicks=acts.clicks,
        unsubscribes=acts.unsubscribes,
        signatures=frozenset(valid_signatures(raw, world.zone)) if number % world.judged_every == 0 else None,
        faults=tuple(faults),
        returns=returns,
    )


async def _answer(world: World, returns: str, raw: bytes, return_path: str, address: str) -> bool:
    if returns == "bounce":
        return await answers.bounce(world.inbound, return_path, address)
    return await answers.complain(world.inbound, raw)


async def _act(http: httpx.AsyncClient, mail: Mail, acts: Acts, targets: Sequence[str], faults: list[str]) -> None:
    opened = [mail.pixel is not None and _is(await http.get(mail.pixel), _PIXEL) for _ in range(acts.opens)]
    faults += ["the pixel did not answer"] * opened.count(False)
    for number in acts.clicks:
        answer = await http.get(mail.links[number]) if number < len(mail.links) else None
        if answer is None or not _is(answer, _REDIRECT) or answer.headers.get("location") != targets[number]:
            faults.append("a link did not lead where it should")
    if (acts.looks or acts.unsubscribes) and mail.unsubscribe is None:
        faults.append("no one-click unsubscribe is offered")
        return
    if acts.looks and not _is(await http.get(str(mail.unsubscribe)), _TO_PAGES):
        faults.append("the unsubscribe page did not answer")
    for _ in range(acts.unsubscribes):
        # RFC 8058 section 3.2: what a mail program sends when its button is pressed.
        answer = await http.post(str(mail.unsubscribe), data={"List-Unsubscribe": "One-Click"})
        if not _is(answer, _DONE):
            faults.append("an unsubscribe was not taken")


def _is(answer: httpx.Response, wanted: tuple[str, int]) -> bool:
    kind, status = wanted
    return answer.status_code == status and answer.headers.get("content-type", "").startswith(kind)
