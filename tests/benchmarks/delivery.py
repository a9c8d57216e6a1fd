"""Messages a second from the whole service to a sink, and beside it in the same run what the machine can sign.

Everything on these cores: Postgres (durable), two workers, `smtp-sink` (Debian's postfix package). Members come
in by an import and lie sealed in the vault; mails of 11 KB with 20 tracked links, personalised; RSA-2048 and Ed25519
signatures; fenced intents and results; journals.
"""

import asyncio
import os
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.settings import RelaySettings
from deploy.ports import free_port
from tests.benchmarks.figure import Figure
from tests.support.service import Service, running_service

MEMBERS = int(os.environ.get("BENCH_MEMBERS", "60000"))
WORKERS = 2
SIGN_SECONDS = 3.0
_PARAGRAPH = (
    '<p>{{ name }} 様、<a href="https://shop.example/items/%d?from=mail">商品 %d</a>: '
    "Lorem ipsum dolor sit amet, consectetur.</p>\n"
)
HTML = "<html><body>" + "".join(_PARAGRAPH % (number, number) for number in range(20)) + "</body></html>"

_SIGN = """
import sys, time
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
key, scheme, digest = rsa.generate_private_key(65537, 2048), padding.PKCS1v15(), hashes.SHA256()
end, count = time.monotonic() + float(sys.argv[1]), 0
while time.monotonic() < end:
    key.sign(b"x" * 500, scheme, digest)
    count += 1
print(count)
"""


async def measure() -> list[Figure]:
    """Send one campaign to all members; return the figures."""
    before = await _signatures_per_second()
    async with _sink() as port:
        relay = RelaySettings(host="127.0.0.1", port=port, tls="none", connections=10)
        async with running_service(relays=(relay,), workers=WORKERS, log_level="warning") as service:
            await service.import_members([f"member{n}@example.jp" for n in range(MEMBERS)])
            campaign = await service.campaign(at=datetime.now(UTC) + timedelta(seconds=3), html=HTML)
            await service.reaches(campaign, "finished", within=600, every=1.0)
            row = await service.main_owner.fetchrow(
                "SELECT count(*) AS sent, extract(epoch FROM max(at) - min(at))::float AS seconds "
                "FROM result WHERE outcome = 'accepted'"
            )
            assert row is not None
            report = await service.get(f"/v1/reports/campaigns/{campaign}")
            memory = max(_peak_memory(service, slot) for slot in range(WORKERS))
            await service.verified()
    signatures = (before + await _signatures_per_second()) / 2
    rate = row["sent"] / row["seconds"]
    conditions = f"{MEMBERS:,} recipients, 11 KB mails, 20 links, RSA-2048 and Ed25519, {WORKERS} workers, smtp-sink"
    return [
        Figure(name="messages_per_second", value=rate, unit="1/s", conditions=conditions),
        Figure(name="rsa_signatures_per_second", value=signatures, unit="1/s", conditions="both cores, same run"),
        Figure(
            name="rsa_limit_ratio",
            value=rate / signatures,
            unit="",
            conditions="messages_per_second / rsa_signatures_per_second",
        ),
        Figure(
            name="lateness_ms",
            value=report["runs"][0]["lateness_ms"],
            unit="ms",
            conditions="from the scheduled time to the first message accepted",
        ),
        Figure(name="worker_peak_memory", value=memory, unit="MB", conditions="the larger worker's VmHWM"),
    ]


async def _signatures_per_second() -> float:
    """RSA-2048 signatures a second that all cores make together."""
    signing = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", _SIGN, str(SIGN_SECONDS), stdout=PIPE)
        for _ in range(os.cpu_count() or 1)
    ]
    said = [(await one.communicate())[0] for one in signing]
    return sum(int(one) for one in said) / SIGN_SECONDS


@asynccontextmanager
async def _sink() -> AsyncIterator[int]:
    program = shutil.which("smtp-sink", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        raise SystemExit("smtp-sink is needed: apt-get install postfix (its binary is enough)")
    port = free_port()
    as_root = ["-u", "nobody"] if os.geteuid() == 0 else []
    sink = await asyncio.create_subprocess_exec(program, *as_root, f"127.0.0.1:{port}", "500", stderr=DEVNULL)
    try:
        yield port
    finally:
        sink.terminate()
        await sink.wait()


def _peak_memory(service: Service, slot: int) -> float:
    """Return the most resident memory that a worker ever held, in MB."""
    status = Path(f"/proc/{service.pid(f'worker-bulk-{slot}')}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1000
