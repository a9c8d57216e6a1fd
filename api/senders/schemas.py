"""Senders as they are sent and shown."""

from datetime import datetime

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api.values import Answer, Body, SenderId
from delivery.senders import MAX_ADDRESS, MAX_NAME, MAX_TEXT, DnsRecord, StoredSender

_EXAMPLE: JsonDict = {
    "name": "届く商店",
    "address": "news@shop.example.jp",
    "postal_address": "東京都千代田区千代田1-1",
    "contact": "https://shop.example.jp/contact",
    "reply_to": None,
}


class NewSender(Body):
    """Who a mail is from, and what the law wants said about them in it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: str = Field(max_length=MAX_NAME)
    address: str = Field(max_length=MAX_ADDRESS, description="Its domain signs, and needs the DNS records shown")
    postal_address: str = Field(max_length=MAX_TEXT)
    contact: str = Field(max_length=MAX_TEXT, description="Where complaints go: an address, a number or a URL")
    reply_to: str | None = Field(None, max_length=MAX_ADDRESS)


class SenderChange(Body):
    """What is to be otherwise; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"contact": "03-0000-0000"}]})

    name: str = Field("", max_length=MAX_NAME)
    address: str = Field("", max_length=MAX_ADDRESS)
    postal_address: str = Field("", max_length=MAX_TEXT)
    contact: str = Field("", max_length=MAX_TEXT)
    reply_to: str | None = Field(None, max_length=MAX_ADDRESS)


class DnsRecordShown(Answer):
    """A record to publish, its value as in a zone file."""

    name: str
    type: str
    value: str


class SenderShown(Answer):
    """A sender. `dns_records` stand where one sender is asked for."""

    id: SenderId
    name: str
    address: str
    reply_to: str | None
    postal_address: str
    contact: str
    domain: str
    created_at: datetime
    dns_records: list[DnsRecordShown] | None = None


def shown(sender: StoredSender, records: list[DnsRecord] | None = None) -> SenderShown:
    """Return what the API shows of a sender."""
    return SenderShown(
        id=sender.sender_id,
        name=sender.name,
        address=sender.address,
        reply_to=sender.reply_to,
        postal_address=sender.postal_address,
        contact=sender.contact,
        domain=sender.domain,
        created_at=sender.created_at,
        dns_records=None if records is None else [DnsRecordShown.model_validate(record) for record in records],
    )
