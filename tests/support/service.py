"""The whole service as real processes, driven as its users drive it: over REST, with signals for faults."""

import os
import signal
from base64 import b64decode
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal

import asyncpg
import httpx
import orjson

from core.clock import SystemClock
from core.database import close_pool, open_pool
from core.ids import decode
from core.settings import load
from deploy.installation import Installation, Started
from deploy.ports import free_port
from tests.support.postgres import directory_for_postgres
from tests.support.waiting import eventually
from tracking.verify import RunCheck, verify

HTML = "<p>{{ name }} 様</p><p><a href='https://example.com/one'>one</a> <a href='https://example.com/two'>two</a></p>"


@dataclass
class Service:
    """A running installation and its API."""

    installation: Installation
    started: Started
    client: httpx.AsyncClient
    main: asyncpg.Pool
    main_owner: asyncpg.Pool
    directory: Path

    def pid(self, name: str) -> int:
        """The process that `name` is now."""
        for line in self.installation.status:
            if line.name == name and line.pid is not None:
                return line.pid
        raise LookupError(name)

    async def kill(self, name: str) -> None:
        """kill -9, and wait until the supervisor has noticed."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)

        async def noticed() -> bool:
            return all(line.pid != pid for line in self.installation.status)

        await eventually(noticed)

    async def replaced(self, name: str, pid: int) -> None:
        """Wait until `name` is another process, and up."""

        async def up() -> bool:
            return any(
                line.name == name and line.pid not in {None, pid} and line.state == "ready"
                for line in self.installation.status
            )

        await eventually(up, within=30)

    async def whole_again(self) -> None:
        """Wait until every process is up and the API answers."""

        async def ready() -> bool:
            try:
                answers = (await self.client.get("/v1/campaigns")).is_success
            except httpx.TransportError:
                return False
            return answers and all(line.state == "ready" for line in self.installation.status)

        await eventually(ready, within=60, step=0.1)

    async def post(self, path: str, body: object | None = None, *, expect: int | None = None) -> Any:
        answer = await self.client.post(path, json=body)
        assert answer.is_success if expect is None else answer.status_code == expect, answer.text
        return answer.json() if answer.content else None

    async def get(self, path: str) -> Any:
        answer = await self.client.get(path)
        assert answer.is_success, answer.text
        return answer.json()

    async def import_members(self, addresses: Sequence[str]) -> dict[str, Any]:
        """Bring members in from a file; the finished import."""
        lines = ["email,name", *(f"{address},山田 {n}" for n, address in enumerate(addresses))]
        answer = await self.client.post(
            "/v1/imports",
            files={"file": ("members.csv", "\r\n".join(lines).encode())},
            data={"consent_source": "a form"},
        )
        assert answer.status_code == 202, answer.text
        made = answer.json()["id"]

        async def finished() -> dict[str, Any] | None:
            shown: dict[str, Any] = await self.get(f"/v1/imports/{made}")
            assert shown["state"] != "failed", shown
            return shown if shown["state"] == "finished" else None

        return await eventually(finished, within=60)  # type: ignore[return-value]

    async def campaign(
        self,
        *,
        at: datetime | Literal["now"] | None = None,
        html: str = HTML,
        attachments: Sequence[str] = (),
        audience: object | None = None,
        **fields: object,
    ) -> str:
        """Make a sender, a template and a campaign, and schedule it if `at` is given; the campaign's id.

        "now" starts it at once: on a busy machine a time soon is a time past when it is asked for.
        """
        sender = await self.post(
            "/v1/senders",
            {
                "name": "届く商店",
                "address": "news@shop.example",
                "postal_address": "東京都千代田区1-1",
                "contact": "help@shop.example",
            },
        )
        words = {"name": "news", "subject": "{{ name }} 様へ", "html": html, "attachments": list(attachments)}
        template = await self.post("/v1/templates", words)
        made = await self.post(
            "/v1/campaigns",
            {
                "name": "news",
                "sender": sender["id"],
                "template": template["id"],
                "audience": audience or {"all": True},
                **fields,
            },
        )
        if at is not None:
            await self.schedule(made["id"], at)
        return str(made["id"])

    async def schedule(self, campaign: str, at: datetime | Literal["now"]) -> None:
        await self.post(f"/v1/campaigns/{campaign}/schedule", {} if at == "now" else {"at": at.isoformat()})

    async def state(self, campaign: str) -> str:
        return str((await self.get(f"/v1/campaigns/{campaign}"))["state"])

    async def reaches(self, campaign: str, *states: str, within: float = 60, every: float = 0.1) -> None:
        async def reached() -> bool:
            return await self.state(campaign) in states

        await eventually(reached, within=within, step=every)

    async def accepted_at_least(self, count: int, *, within: float = 30) -> None:
        """Wait until so many results are in the table."""

        async def there() -> bool:
            found: int = await self.main_owner.fetchval("SELECT count(*) FROM result WHERE outcome = 'accepted'")
            return found >= count

        await eventually(there, within=within)

    async def received(self) -> Counter[str]:
        """Mails in the mailbox by recipient."""
        url = f"http://127.0.0.1:{self.started.settings.mailbox_http_port}/messages.jsonl"
        async with httpx.AsyncClient(timeout=30) as client:
            answer = await client.get(url, params={"limit": 1_000_000})
        return Counter(one for line in answer.text.splitlines() for one in orjson.loads(line)["rcpt_to"])

    async def mails(self) -> dict[str, EmailMessage]:
        """The mail that each recipient was sent last, as the standard library reads it."""
        url = f"http://127.0.0.1:{self.started.settings.mailbox_http_port}/messages.jsonl"
        async with httpx.AsyncClient(timeout=30) as client:
            answer = await client.get(url, params={"limit": 1_000_000, "raw": 1})
        found = {}
        for line in answer.text.splitlines():
            mail = orjson.loads(line)
            read = message_from_bytes(b64decode(mail["raw"]), policy=policy.default)
            assert isinstance(read, EmailMessage)
            found[mail["rcpt_to"][0]] = read
        return found

    async def one_click_urls(self) -> dict[str, str]:
        """The one-click unsubscribe address that each recipient was mailed."""
        return {recipient: one_click_url(mail) for recipient, mail in (await self.mails()).items()}

    async def outcomes(self, campaign: str) -> dict[str, set[str]]:
        """Recipients' addresses by their last outcome, by way of the test's knowledge of the members' order."""
        run = (await self.get(f"/v1/campaigns/{campaign}"))["run"]
        rows = await self.main_owner.fetch(
            "SELECT DISTINCT ON (r.seq) r.member_id, s.outcome::text FROM recipient r "
            "JOIN result s USING (run_id, seq) WHERE r.run_id = $1 ORDER BY r.seq, s.try DESC",
            decode("run", run),
        )
        found: dict[str, set[str]] = {}
        for row in rows:
            found.setdefault(row["outcome"], set()).add(str(row["member_id"]))
        return found

    async def verified(self) -> list[RunCheck]:
        """Every run's check; each must hold."""
        checks = await verify(self.main)
        assert all(check.ok for check in checks), checks
        return checks


def one_click_url(mail: EmailMessage) -> str:
    """The https or loopback address in a mail's List-Unsubscribe."""
    return str(mail["List-Unsubscribe"]).split(">", 1)[0].lstrip("<")


@asynccontextmanager
async def running_service(*, on_disk: bool = False, **settings: object) -> AsyncIterator[Service]:
    """`todoku up` in this process, its parts as real child processes, on ports and directories of its own.

    `on_disk` for who measures what a commit takes.
    """
    with directory_for_postgres(on_disk=on_disk) as directory:
        names = ("api_port", "tracker_port", "pages_port", "inbound_port", "mailbox_smtp_port", "mailbox_http_port")
        ports = {name: free_port() for name in names}
        chosen = load(
            **{"data_dir": directory, "metrics_port": 0, "workers": 2, "log_level": "info", **ports, **settings}
        )
        installation = Installation(chosen, clock=SystemClock())
        pools: list[asyncpg.Pool] = []
        try:
            started = await installation.start()
            pools = [await open_pool(dsn, name="test") for dsn in (started.dsns.main, started.dsns.main_owner)]
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{started.settings.api_port}",
                headers={"Authorization": f"Bearer {started.api_key}"},
                timeout=30,
            ) as client:
                yield Service(installation, started, client, *pools, directory)
        finally:
            for pool in pools:
                await close_pool(pool)
            await installation.stop()


def soon(seconds: float = 1.0) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)
