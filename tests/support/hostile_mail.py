"""Mail as nobody should send it: bounces and complaints broken in one to six places. A number makes a mail."""

import random
import tomllib
from collections.abc import Callable
from pathlib import Path

from tests.support.inbound import arf, dsn

_BOUNCES = Path(__file__).parents[1] / "unit" / "tracking" / "bounces.toml"
BASES = (
    *(mail["text"].lstrip("\n").encode() for mail in tomllib.loads(_BOUNCES.read_text(encoding="utf-8"))["mail"]),
    dsn(),
    arf("From: news@example.jp"),
)
_SPLICES = (
    *(b"\0", b"\r", b"\n", b"\r\n\r\n", b"--b\r\n", b"--b--\r\n", b"=?", b"?=", b"=?utf-8?q?", b"=?x?b?%%%?="),
    *(b";" * 500, b'"' * 300, b"<" * 3_000, b"@" * 3_000, b"(" * 3_000, b"\\" * 999, b"\xff\xfe\x80"),
    *(b"a" * 20_000, b" " * 5_000),
    b"Content-Transfer-Encoding: x-uuencode\n",
    b"Content-Transfer-Encoding: base64\n",
    b"Content-Type: text/plain; charset=punycode\n",
    b"Content-Type: text/plain; charset=\xff; charset*0*=utf-7''%FF\n",
    b"Content-Type: message/rfc822\n\n",
    b'Content-Type: multipart/report; report-type="delivery-status"; boundary="b"\n',
    b"Content-Type: multipart/mixed; boundary=\n",
    b"X-Failed-Recipients: " + b"a@b.example, " * 500 + b"\n",
    b"Action: failed\nStatus: 9.9.9\n",
    b"Diagnostic-Code: smtp; 5" + b"50-5.1.1 x " * 400 + b"\n",
    b"in reply to " * 400,
    "送信者認証 自動応答 ".encode("iso-2022-jp") * 50,
)


def _at(chance: random.Random, raw: bytes) -> int:
    return chance.randrange(len(raw) + 1)


def _flip(chance: random.Random, raw: bytes) -> bytes:
    at = _at(chance, raw)
    return raw[:at] + bytes([chance.randrange(256)]) + raw[at + 1 :]


def _cut(chance: random.Random, raw: bytes) -> bytes:
    at = _at(chance, raw)
    return raw[:at] + raw[at + chance.randrange(400) :]


def _splice(chance: random.Random, raw: bytes) -> bytes:
    at = _at(chance, raw)
    return raw[:at] + chance.choice(_SPLICES) + raw[at:]


def _at_a_line(chance: random.Random, raw: bytes) -> bytes:
    lines = raw.split(b"\n")
    lines.insert(chance.randrange(len(lines) + 1), chance.choice(_SPLICES))
    return b"\n".join(lines)


def _repeat(chance: random.Random, raw: bytes) -> bytes:
    at = _at(chance, raw)
    end = at + chance.randrange(200)
    return raw[:at] + raw[at:end] * chance.choice((2, 40, 2_000)) + raw[end:]


def _nest(chance: random.Random, raw: bytes) -> bytes:
    """Wrap it, up to a thousand times."""
    for number in range(chance.choice((1, 5, 40, 1_000))):
        if len(raw) > 400_000:
            break
        wrap = b"Content-Type: message/rfc822\n\n"
        if chance.random() < 0.5:
            wrap = b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (number, number)
        raw = wrap + raw
    return raw


_WAYS: tuple[Callable[[random.Random, bytes], bytes], ...] = (_flip, _cut, _splice, _at_a_line, _repeat, _nest)


def hostile(number: int) -> bytes:
    chance = random.Random(number)
    raw = chance.choice(BASES)
    for _ in range(chance.randint(1, 6)):
        raw = chance.choice(_WAYS)(chance, raw)[:1_000_000]
    return raw if chance.random() < 0.5 else raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
