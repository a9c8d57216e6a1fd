"""Senders: who a mail is from, what the law wants said about them, and the keys that sign for their domains.

The private halves of DKIM keys are sealed under the KEK before they are stored; the record to publish is kept beside
them in plain, so that showing it opens nothing.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
from email_validator import EmailNotValidError, validate_email

from core import sql
from core.errors import Fault, InvalidInput, NotFound, StaleRevision
from core.ids import IdSource
from delivery.compose import content
from delivery.dkim import DkimSigner, dns_records, generate_keys, load_private_key
from members.kek import KekProvider

SQL = sql.load(__package__ or "", "senders.sql")

MAX_NAME = 200
MAX_TEXT = 500
MAX_ADDRESS = 254


@dataclass(frozen=True, slots=True)
class SenderDraft:
    """What a marketer says of a sender. `reply_to` None: replies go to `address`."""

    name: str
    address: str
    postal_address: str
    contact: str
    reply_to: str | None = None


@dataclass(frozen=True, slots=True)
class StoredSender:
    """A sender as stored; `domain` (ASCII, lower case) is the one that signs."""

    sender_id: UUID
    account_id: UUID
    name: str
    address: str
    reply_to: str | None
    postal_address: str
    contact: str
    domain: str
    revision: int
    created_at: datetime

    def as_content(self) -> content.Sender:
        """Return what is frozen of it into a run's content."""
        return content.Sender(self.name, self.address, self.reply_to, self.postal_address, self.contact, self.domain)

    def as_draft(self) -> SenderDraft:
        """Return what a change starts from."""
        return SenderDraft(self.name, self.address, self.postal_address, self.contact, self.reply_to)


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """A record to publish, its value in a zone file's form."""

    name: str
    type: str
    value: str


class SenderStore:
    """The senders of all accounts; every call names the account first."""

    def __init__(self, main: asyncpg.Pool, kek: KekProvider, new_id: IdSource) -> None:
        self._main = main
        self._kek = kek
        self._new_id = new_id

    async def create(self, account_id: UUID, draft: SenderDraft) -> StoredSender:
        """Store a sender and make its domain's keys if it has none; raise InvalidInput with every fault."""
        checked, domain = check(draft)
        await self._ensure_keys(account_id, domain)
        return _sender(await self._main.fetchrow(SQL["create"], self._new_id(), account_id, *_columns(checked), domain))

    async def get(self, account_id: UUID, sender_id: UUID) -> StoredSender:
        """Return a sender; raise NotFound."""
        return _sender(await self._main.fetchrow(SQL["get"], account_id, sender_id))

    async def count(self, account_id: UUID) -> int:
        """Return how many senders the account has."""
        return int(await self._main.fetchval(SQL["count"], account_id))

    async def change(self, account_id: UUID, sender_id: UUID, revision: int, draft: SenderDraft) -> StoredSender:
        """Replace what is said of a sender; raise StaleRevision if it is no longer at `revision`."""
        await self.get(account_id, sender_id)
        checked, domain = check(draft)
        await self._ensure_keys(account_id, domain)
        row = await self._main.fetchrow(SQL["change"], account_id, sender_id, revision, *_columns(checked), domain)
        if row is None:
            raise StaleRevision("Read the sender again")
        return _sender(row)

    async def dns_records(self, account_id: UUID, domain: str) -> list[DnsRecord]:
        """Return what is to be published for a domain's signatures to verify, RSA first."""
        rows = await self._main.fetch(SQL["keys"], account_id, domain)
        return [DnsRecord(f"{row['selector']}._domainkey.{domain}", "TXT", row["public"].decode()) for row in rows]

    async def signer_for(self, account_id: UUID, domain: str) -> DkimSigner:
        """Return what signs for a domain; raise NotFound if the account has no keys for it."""
        rows = await self._main.fetch(SQL["keys"], account_id, domain)
        if not rows:
            raise NotFound("There are no signing keys for this domain")
        keys = []
        for row in rows:
            der = await self._kek.unwrap(row["sealed"], _aad(account_id, domain, row["selector"]))
            keys.append((row["selector"], load_private_key(der, ours=True)))
        return DkimSigner(domain, keys)

    async def rewrap(self) -> int:
        """Wrap all signing keys by the present KEK; return how many. What opens by neither raises Tampered."""
        rows = await self._main.fetch(SQL["all_keys"])
        for row in rows:
            aad = _aad(row["account_id"], row["domain"], row["selector"])
            again = await self._kek.wrap(await self._kek.unwrap(row["sealed"], aad), aad)
            await self._main.execute(SQL["rewrap"], row["account_id"], row["selector"], row["sealed"], again)
        return len(rows)

    async def _ensure_keys(self, account_id: UUID, domain: str) -> None:
        if await self._main.fetchval(SQL["has_keys"], account_id, domain):
            return
        # Accounts may share a domain, whose selectors must then differ: the id's last letters are random.
        label = f"td{self._new_id().hex[-10:]}"
        keys = await asyncio.to_thread(generate_keys, label)
        records = [value for _, _, value in dns_records(domain, keys)]
        sealed = [await self._kek.wrap(key.to_der(), _aad(account_id, domain, key.selector)) for key in keys]
        async with self._main.acquire() as connection, connection.transaction():
            await connection.execute(SQL["lock_domain"], account_id, domain)
            await connection.execute(
                SQL["add_keys"],
                account_id,
                domain,
                [key.selector for key in keys],
                ["rsa-sha256", "ed25519-sha256"],
                sealed,
                [record.encode() for record in records],
            )

    async def list(self, account_id: UUID, *, after: UUID | None = None, limit: int = 50) -> list[StoredSender]:
        """Return at most `limit` senders in the order of their making, those after `after`."""
        return [_sender(row) for row in await self._main.fetch(SQL["list"], account_id, after, limit)]


def check(draft: SenderDraft) -> tuple[SenderDraft, str]:
    """Return the draft in its stored form and its domain; raise InvalidInput with every fault at once."""
    faults: list[Fault] = []
    address, domain = _address("/address", draft.address, faults)
    reply_to = None if draft.reply_to is None else _address("/reply_to", draft.reply_to, faults)[0]
    name = _text("/name", draft.name, MAX_NAME, faults)
    postal = _text("/postal_address", draft.postal_address, MAX_TEXT, faults)
    contact = _text("/contact", draft.contact, MAX_TEXT, faults)
    if faults:
        raise InvalidInput("The sender can't be used as it stands", faults)
    return SenderDraft(name, address, postal, contact, reply_to), domain


def _address(pointer: str, given: str, faults: list[Fault]) -> tuple[str, str]:
    try:
        # No lookup and no rule on what is reachable from everywhere: a rehearsal sends from names of its own.
        found = validate_email(given, check_deliverability=False, globally_deliverable=False, allow_smtputf8=False)
    except EmailNotValidError:
        faults.append(Fault(pointer, "invalid-address", "Not an address that mail can be sent from"))
        return "", ""
    return f"{found.local_part}@{found.ascii_domain}", found.ascii_domain.lower()


def _text(pointer: str, given: str, limit: int, faults: list[Fault]) -> str:
    text = given.strip(" ")
    if not 0 < len(text) <= limit:
        faults.append(Fault(pointer, "length", f"1 to {limit} characters are needed"))
    elif not text.replace("\u3000", " ").isprintable():
        # A line break in a name would begin a header field of its own. The ideographic space is no fault in Japanese.
        faults.append(Fault(pointer, "control-character", "Line breaks and control characters can't be used here"))
    return text


def _columns(draft: SenderDraft) -> tuple[str, str, str | None, str, str]:
    return draft.name, draft.address, draft.reply_to, draft.postal_address, draft.contact


def _aad(account_id: UUID, domain: str, selector: str) -> bytes:
    return b"signing_key\0" + account_id.bytes + f"{domain}\0{selector}".encode()


def _sender(row: asyncpg.Record | None) -> StoredSender:
    if row is None:
        raise NotFound("There is no such sender")
    return StoredSender(**row)
