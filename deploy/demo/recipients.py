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
from http import HTTPStatus
from multiprocessing import connection, parent_process

import httpcore
import orjson

from deploy.demo import answers
from deploy.demo.asking import TIMEOUTS, Asker
from deploy.demo.behaviour import NOTHING, acts_of
from deploy.demo.ledger import Delivered, SentOn
from deploy.demo.machines import sweep_of
from deploy.demo.mail import plain_address, read_mail
from deploy.demo.people import fate_of
from deploy.demo.signatures import valid_signatures

AT_ONCE = 4
"""Mails that a process reads at once. The HTTP client looks at each of its connections before each request: with
sixteen, that was a sixth of all its work."""
_NICE = 5


@dataclass(frozen=True, slots=True)
class World:
    """What the people know: `keys` name a campaign by the id in its mails, `targets` are the links it was made with.

    The signatures of each mail whose number is a multiple of `judged_every` are judged by the answers of `zone`. What
    comes back by mail goes to `inbound`; replies reach the sender at `reply_to`.
    """

    mailbox_url: str
    seed: int
    keys: Mapping[str, str]
    targets: Mapping[str, Sequence[str]]
    zone: Mapping[bytes, bytes]
    judged_every: int
    inbound: tuple[str, int]
    reply_to: str


class _Recipients:
    def __init__(self, world: World) -> None:
        self.world = world
        self.runner = asyncio.Runner()
        self.http = _client()
        # A visit that takes longer than the rules' window is no machine's: one at a time, with connections of its own.
        self.machines = _client()
        self.visiting = asyncio.Lock()


def _client() -> httpcore.AsyncConnectionPool:
    # Loopback only, without TLS; no proxy of the environment is asked.
    return httpcore.AsyncConnectionPool(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)


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


def receive(after: int, limit: int) -> list[Delivered | SentOn]:
    """Read the `limit` mails behind the number `after`, and do what their recipients do."""
    if _here is None:
        raise RuntimeError("This process was not settled")
    return _here.runner.run(_receive(_here, after, limit))


async def _receive(here: _Recipients, after: int, limit: int) -> list[Delivered | SentOn]:
    url = f"{here.world.mailbox_url}/messages.jsonl?after={after}&limit={limit}&raw=true"
    answer = await here.http.request("GET", url, extensions=TIMEOUTS)
    if answer.status != HTTPStatus.OK:
        raise RuntimeError(f"The mailbox answered with {answer.status}")
    busy = asyncio.Semaphore(AT_ONCE)

    async def handle(line: bytes) -> Delivered | SentOn:
        async with busy:
            return await _handle(here, orjson.loads(line))

    return list(await asyncio.gather(*(handle(line) for line in answer.content.splitlines())))


async def _handle(here: _Recipients, entry: Mapping[str, object]) -> Delivered | SentOn:
    world = here.world
    raw = a2b_base64(str(entry["raw"]))
    recipients = entry["rcpt_to"]
    if recipients == [world.reply_to]:
        return SentOn(answers.writer_of(raw))
    mail = read_mail(raw)
    faults = list(mail.faults)
    if not isinstance(recipients, list) or [plain_address(str(one)) for one in recipients] != [mail.address]:
        faults.append("the envelope's recipient is not the one in To")
    key = world.keys.get(mail.campaign, "")
    targets = world.targets.get(key, ())
    if len(mail.links) != len(targets):
        faults.append("links are missing")
    returns = fate_of(mail.address).returns if targets else None
    if returns and not await answers.answer(world.inbound, returns, raw, str(entry["mail_from"]), mail.address):
        faults.append(f"{returns}: a mail was not taken")
    sweep = sweep_of(mail.address) if targets else None
    if sweep:
        async with here.visiting:
            await Asker(here.machines, mail, targets, faults).sweep(sweep)
    acts = acts_of(world.seed, key, mail.address) if targets else NOTHING
    await Asker(here.http, mail, targets, faults).act(acts)
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
        machine_opens=1 if sweep else 0,
        machine_clicks=tuple(range(sweep.links)) if sweep else (),
    )
