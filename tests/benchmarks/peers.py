"""What delivery is compared with in the same run: what the machine can sign, move, and do with the usual libraries."""

import asyncio
import os
import shutil
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deploy.ports import free_port

SIGN_SECONDS = 3.0
RAW_MESSAGES = 20_000
LIBRARY_SECONDS = 4.0

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

# The way that most Python senders are written: EmailMessage, dkimpy (RSA and Ed25519), aiosmtplib.send_message.
_LIBRARIES = """
import asyncio, sys, time
from email.message import EmailMessage
import aiosmtplib, dkim
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import rsa, ed25519
from base64 import b64encode
plain = s.NoEncryption()
rsa_key = rsa.generate_private_key(65537, 2048).private_bytes(s.Encoding.PEM, s.PrivateFormat.TraditionalOpenSSL, plain)
ed_key = b64encode(ed25519.Ed25519PrivateKey.generate().private_bytes(s.Encoding.Raw, s.PrivateFormat.Raw, plain))
async def main(port, seconds):
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False)
    await client.connect()
    end, count = time.monotonic() + seconds, 0
    line = '<p>%s 様、<a href="https://t.shop.example/c/' + 'x' * 48 + '">商品</a>: Lorem ipsum dolor sit amet.</p>\\n'
    while time.monotonic() < end:
        mail = EmailMessage()
        mail["From"], mail["To"] = "news@shop.example", f"member{count}@example.jp"
        mail["Subject"] = f"山田 {count} 様へ"
        mail["List-Unsubscribe"] = "<https://t.shop.example/u/" + "x" * 48 + ">"
        mail.set_content("text")
        mail.add_alternative("".join(line % count for _ in range(20)) + "Lorem ipsum " * 400, subtype="html")
        raw = mail.as_bytes()
        for selector, key, algorithm in ((b"r", rsa_key, b"rsa-sha256"), (b"e", ed_key, b"ed25519-sha256")):
            raw = dkim.sign(raw, selector, b"shop.example", key, signature_algorithm=algorithm) + raw
        await client.sendmail("news@shop.example", [mail["To"]], raw)
        count += 1
    await client.quit()
    print(count)
asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
"""


async def signatures_per_second() -> float:
    """Return the RSA-2048 signatures a second that all cores make together."""
    signing = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", _SIGN, str(SIGN_SECONDS), stdout=PIPE)
        for _ in range(os.cpu_count() or 1)
    ]
    said = [(await one.communicate())[0] for one in signing]
    return sum(int(one) for one in said) / SIGN_SECONDS


async def raw_per_second(port: int) -> float:
    """Return how many messages of 10 KB smtp-source gives to the sink a second: 50 kept sessions, nothing computed."""
    words = ["-d", "-s", "50", "-l", "10240", "-m", str(RAW_MESSAGES), f"127.0.0.1:{port}"]
    began = time.monotonic()
    source = await asyncio.create_subprocess_exec(program("smtp-source"), *words, stderr=DEVNULL)
    await source.wait()
    return RAW_MESSAGES / (time.monotonic() - began)


async def libraries_per_second(port: int) -> float:
    """Return the messages a second of EmailMessage, dkimpy and aiosmtplib, one process."""
    words = [sys.executable, "-W", "ignore", "-c", _LIBRARIES, str(port), str(LIBRARY_SECONDS)]
    sending = await asyncio.create_subprocess_exec(*words, stdout=PIPE)
    said, _ = await sending.communicate()
    return int(said) / LIBRARY_SECONDS


@asynccontextmanager
async def sink() -> AsyncIterator[tuple[int, int]]:
    """Run smtp-sink for the block: its port and process id."""
    port = free_port()
    as_root = ["-u", "nobody"] if os.geteuid() == 0 else []
    words = [*as_root, f"127.0.0.1:{port}", "500"]
    running = await asyncio.create_subprocess_exec(program("smtp-sink"), *words, stderr=DEVNULL)
    try:
        yield port, running.pid
    finally:
        running.terminate()
        await running.wait()


def program(name: str, *, package: str = "postfix") -> str:
    """Return the path of a program of a Debian package; ends the benchmark where there is none."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        raise SystemExit(f"{name} is needed: apt-get install {package} (its binary is enough)")
    return found
