"""Dovecot's authentication protocol, version 1.1, as far as Postfix' smtpd asks: PLAIN and LOGIN against a dictionary.

https://doc.dovecot.org/main/developers/design/auth_protocol.html
"""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from deploy.ports import LOOPBACK


@dataclass
class DovecotAuth:
    """`passwords` may change while it runs; `said` is what was answered: ("PLAIN", "relay", True)."""

    passwords: dict[str, str]
    mechanisms: tuple[str, ...] = ("PLAIN", "LOGIN")
    port: int = 0
    said: list[tuple[str, str, bool]] = field(default_factory=list)
    _sessions: list[tuple[asyncio.StreamWriter, "asyncio.Task[None] | None"]] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        return sum(right for _, _, right in self.said)

    @property
    def refused(self) -> int:
        return len(self.said) - self.accepted

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._sessions.append((writer, asyncio.current_task()))
        offered = "".join(f"MECH\t{name}\tplaintext\n" for name in self.mechanisms)
        writer.write(f"VERSION\t1\t1\n{offered}SPID\t1\nCUID\t1\nCOOKIE\t{'0' * 32}\nDONE\n".encode())
        exchanges: dict[str, list[str]] = {}
        while line := (await reader.readline()).decode().rstrip("\n"):
            verb, number, *rest = line.split("\t")
            if verb == "AUTH":
                initial = [_text(word.removeprefix("resp=")) for word in rest if word.startswith("resp=")]
                exchanges[number] = [rest[0], *initial]
            elif verb == "CONT":
                exchanges[number].append(_text(rest[0]))
            else:
                continue
            writer.write(self._answer(number, *exchanges[number]).encode())

    def _answer(self, number: str, mechanism: str, *given: str) -> str:
        if mechanism == "PLAIN" and given:
            _, user, password = given[0].split("\0")
        elif mechanism == "LOGIN" and len(given) == 2:
            user, password = given
        else:
            prompt = "" if mechanism == "PLAIN" else ("Username:", "Password:")[len(given)]
            return f"CONT\t{number}\t{b64encode(prompt.encode()).decode()}\n"
        right = self.passwords.get(user) == password
        self.said.append((mechanism, user, right))
        return f"{'OK' if right else 'FAIL'}\t{number}\tuser={user}\n"


def _text(encoded: str) -> str:
    return b64decode(encoded).decode()


@asynccontextmanager
async def dovecot_auth(passwords: dict[str, str], *mechanisms: str) -> AsyncIterator[DovecotAuth]:
    auth = DovecotAuth(passwords, mechanisms or ("PLAIN", "LOGIN"))
    server = await asyncio.start_server(auth._serve, LOOPBACK, 0)
    auth.port = server.sockets[0].getsockname()[1]
    try:
        yield auth
    finally:
        server.close()
        for writer, session in auth._sessions:
            writer.close()
            if session is not None:
                await session
