"""A little DNS server on loopback, with a zone that tests may change while it runs.

Zone: `{(name, "MX"): ["10 mx1.example."], (name, "A"): ["127.0.0.2"]}`; a name without any entry does not exist.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Zone = Mapping[tuple[str, str], Sequence[str]]


@dataclass
class DnsServer(asyncio.DatagramProtocol):
    zone: dict[tuple[str, str], Sequence[str]]
    ttl: int = 300
    port: int = 0
    failing: set[str] = field(default_factory=set)
    """Names that are answered with SERVFAIL."""
    silent: set[str] = field(default_factory=set)
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, address: tuple[str | object, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked[name, kind] += 1
        if name in self.silent:
            return
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        target = self.zone.get((name, "CNAME"))
        if name in self.failing:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif target:
            answer.answer.append(dns.rrset.from_text(question.name, self.ttl, "IN", "CNAME", *target))
            self._add(answer, target[0].rstrip("."), kind)
        elif not any(known == name for known, _ in self.zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        else:
            self._add(answer, name, kind)
        self._transport.sendto(answer.to_wire(), address)

    def _add(self, answer: dns.message.Message, name: str, kind: str) -> None:
        records = self.zone.get((name, kind))
        if records:
            answer.answer.append(dns.rrset.from_text(f"{name}.", self.ttl, "IN", kind, *records))


@asynccontextmanager
async def dns_server(zone: Zone, **how: object) -> AsyncIterator[DnsServer]:
    loop = asyncio.get_running_loop()
    server = DnsServer(dict(zone), **how)  # type: ignore[arg-type]
    transport, _ = await loop.create_datagram_endpoint(lambda: server, local_addr=("127.0.0.1", 0))
    server.port = transport.get_extra_info("sockname")[1]
    try:
        yield server
    finally:
        transport.close()
