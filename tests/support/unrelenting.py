"""People and servers who ask again until they are answered, and keep a ledger of what they were told.

A request is `answered` when its answer says that something happened; one whose answer was lost, or said to try again,
is `unanswered`, and may have been kept or not. A mail is the same mail at each try, so it is answered once in the end.
"""

import asyncio
import smtplib
from base64 import b64decode
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from random import Random
from typing import NamedTuple

import httpx
import orjson

from deploy.demo.mail import read_mail
from deploy.keys import load_signer
from tests.support.inbound import arf, dsn
from tests.support.service import Service
from tests.support.waiting import eventually

_DESKTOP = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
_WAIT = 0.1
_MAIL_SECONDS = 10.0
_PATIENCE = 120.0


class Act(NamedTuple):
    """What an event is about, as far as the tables know it too."""

    seq: int
    kind: str
    link: int = -1
    detail: str = ""


@dataclass(frozen=True)
class Letter:
    """What a recipient has in hand, and its number in the run."""

    seq: int
    pixel: str
    links: tuple[str, ...]
    one_click: str
    return_path: str
    complain_to: str
    leave_by_mail: str


async def letters(service: Service) -> list[Letter]:
    """Every mail in the mailbox, read by an independent reader."""
    signer = load_signer(service.started.settings.link_key_path)
    url = f"http://127.0.0.1:{service.started.settings.mailbox_http_port}/messages.jsonl"
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        answer = await client.get(url, params={"limit": 1_000_000, "raw": 1})
    found = []
    for entry in map(orjson.loads, answer.text.splitlines()):
        raw = b64decode(entry["raw"])
        mail, head = read_mail(raw), message_from_bytes(raw, policy=policy.default)
        assert mail.pixel
        assert mail.unsubscribe
        found.append(
            Letter(
                seq=signer.open(mail.pixel.rpartition("/")[2]).seq,
                pixel=mail.pixel,
                links=mail.links,
                one_click=mail.unsubscribe,
                return_path=entry["mail_from"],
                complain_to=str(head["CFBL-Address"]).partition(";")[0].strip(),
                leave_by_mail=str(head["List-Unsubscribe"]).rpartition("<mailto:")[2].rstrip(">"),
            )
        )
    return found


@dataclass
class Ledger:
    """How often each act was answered for, and how often it may have happened besides."""

    answered: Counter[Act] = field(default_factory=Counter)
    unanswered: Counter[Act] = field(default_factory=Counter)
    mails: int = 0
    refused: int = 0

    def breaches(self, stored: Mapping[Act, int]) -> list[str]:
        """What is not in the tables as often as it was answered for, or more often than it was asked."""
        found = []
        for act in self.answered.keys() | self.unanswered.keys() | stored.keys():
            least, most = self.answered[act], self.answered[act] + self.unanswered[act]
            if not least <= stored.get(act, 0) <= most:
                found.append(f"{act}: {stored.get(act, 0)} stored, {least} answered, {most} asked")
        return found


class Readers:
    """Read letters until told to stop: each turn opens, follows a link, or now and then leaves."""

    def __init__(self, letters: list[Letter], ledger: Ledger, web: httpx.AsyncClient, chance: Random) -> None:
        self._letters = letters
        self._ledger = ledger
        self._web = web
        self._chance = chance

    async def read_until(self, ended: asyncio.Event) -> None:
        while not ended.is_set():
            letter = self._chance.choice(self._letters)
            draw = self._chance.random()
            if draw < 0.5:
                await self._ask("GET", letter.pixel, Act(letter.seq, "open"))
            elif draw < 0.95:
                link = self._chance.randrange(len(letter.links))
                await self._ask("GET", letter.links[link], Act(letter.seq, "click", link))
            else:
                await self._ask("POST", letter.one_click, Act(letter.seq, "unsubscribe"))

    async def _ask(self, method: str, url: str, act: Act) -> None:
        while True:
            try:
                answer = await self._web.request(method, url, headers={"user-agent": _DESKTOP})
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
                pass
            except httpx.TransportError:
                self._ledger.unanswered[act] += 1
            else:
                if answer.status_code != 503:
                    assert answer.status_code in {200, 302}, answer.status_code
                    self._ledger.answered[act] += 1
                    return
                self._ledger.unanswered[act] += 1
                self._ledger.refused += 1
            await asyncio.sleep(_WAIT)


class Servers:
    """Give up on mails, complain of them and leave by them until told to stop; each mail until it is taken."""

    def __init__(self, letters: list[Letter], ledger: Ledger, port: int, chance: Random) -> None:
        self._letters = letters
        self._ledger = ledger
        self._port = port
        self._chance = chance

    async def send_until(self, ended: asyncio.Event) -> None:
        while not ended.is_set():
            letter = self._chance.choice(self._letters)
            self._ledger.mails += 1
            mark = str(self._ledger.mails)
            draw = self._chance.random()
            if draw < 0.4:
                act = Act(letter.seq, "bounce", detail="soft")
                await self._send("", letter.return_path, dsn("452 4.2.2 Mailbox full", mark=mark), act)
            elif draw < 0.7:
                act = Act(letter.seq, "bounce", detail="policy")
                await self._send("", letter.return_path, dsn("550 5.7.1 Message rejected as spam", mark=mark), act)
            elif draw < 0.9:
                report = arf(f"From: news@shop.example\r\nX-Mark: {mark}")
                await self._send("fbl@provider.example", letter.complain_to, report, Act(letter.seq, "complaint"))
            else:
                wish = f"From: a@example.com\r\nMessage-ID: <{mark}@example.com>\r\nSubject: stop\r\n\r\n".encode()
                await self._send("a@example.com", letter.leave_by_mail, wish, Act(letter.seq, "unsubscribe"))

    async def _send(self, sender: str, to: str, message: bytes, act: Act) -> None:
        await eventually(lambda: asyncio.to_thread(self._taken, sender, to, message), within=_PATIENCE, step=_WAIT)
        self._ledger.answered[act] += 1

    def _taken(self, sender: str, to: str, message: bytes) -> bool:
        try:
            with smtplib.SMTP("127.0.0.1", self._port, timeout=_MAIL_SECONDS) as server:
                server.sendmail(sender, [to], message)
        except (OSError, smtplib.SMTPException):
            return False
        return True
