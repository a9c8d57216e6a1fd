"""What a message costs before it is sent: rendering, MIME, signatures, all of it. `python -m tests.benchmarks.compose`.

10 KB of HTML with 20 tracked links and a text part, both holding Japanese. Each figure is also given as a share of the
RSA signature's in the same run, which tells more than µs where the machine is not quiet.
"""

import math
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from timeit import Timer
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from core.tokens import LinkSigner
from delivery.compose.assemble import assemble
from delivery.compose.compiled import CompiledContent, Recipient, compile_content
from delivery.compose.content import Content, Sender
from delivery.compose.mime import Body
from delivery.dkim import DkimSigner
from delivery.dkim.keys import RSA_BITS, PrivateKey

RUN = UUID("0192f0c1-2b3c-7d4e-8f50-a1b2c3d4e5f6")
DATE = datetime(2026, 12, 1, tzinfo=UTC)
TRACKER = "https://t.example.jp"
HTML_BYTES = 10_000
ROUNDS = 60
ROUND_SECONDS = 0.005


def example() -> Content:
    """Return the mail that is measured."""
    links = "".join(
        f'<tr><td style="padding:8px"><a href="https://shop.example.jp/items/{n}?from=mail">商品{n}を見る</a></td></tr>\n'
        for n in range(20)
    )
    paragraph = "<p>{{ name }} 様、いつもご利用ありがとうございます。今月のポイントは {{ points }} です。</p>\n"
    html = f"<html><body>{paragraph}<table>{links}</table>"
    while len(html.encode()) < HTML_BYTES:
        html += "<p>冬のセールのお知らせです。どうぞご覧ください。</p>\n"
    text = "{{ name }} 様\n\n冬のセールのお知らせです。\n" * 10
    sender = Sender("届く商店", "news@example.jp", None, "東京都千代田区1-1", "help@example.jp", "example.jp")
    attributes, track = ("name", "points"), True
    return Content(
        "{{ name }} 様へ、12月のお知らせ", "", f"{html}</body></html>", text, sender, track, track, attributes
    )


def compiled(dkim: DkimSigner | None, *, direct: bool = True) -> CompiledContent:
    """Return the example compiled for a run."""
    return compile_content(
        example(),
        run_id=RUN,
        tracker_url=TRACKER,
        return_path_domain="bounce.example.jp",
        signer=LinkSigner({1: b"k" * 32}, 1),
        dkim=dkim,
        list_id="news.example.jp",
        feedback_id="run:account:campaign:todoku",
        direct=direct,
    )


def main() -> None:
    """Print µs for each part, and its share of the RSA signature."""
    member = Recipient(7, RUN, "taro@example.jp", {"name": "髙橋 太郎", "points": 1200})
    rsa_key, ed25519_key = generate_private_key(65537, RSA_BITS), Ed25519PrivateKey.generate()
    parts = {direct: assemble(example(), tracker_url=TRACKER, direct=direct) for direct in (True, False)}
    slots = [0, 1, *range(16, 16 + len(parts[True].links))]
    tokens = LinkSigner({1: b"k" * 32}, 1).for_run(RUN, slots)
    minted = tokens.mint(7)[0]
    html, text = parts[True].html, parts[True].text
    sandboxed = parts[False].html
    if html is None or sandboxed is None:
        raise AssertionError
    body = Body(b"seed", has_html=True)
    rendered = html.render(member.values, minted), text.render(member.values, minted)
    multipart = body.multipart(rendered[1], rendered[0])
    bare = compiled(None)
    message = bare.compose(member, date=DATE).message
    fields = _fields(message)
    keys: list[tuple[str, PrivateKey]] = [("todoku-rsa", rsa_key), ("todoku-ed", ed25519_key)]
    chosen = {"RSA": keys[:1], "Ed25519": keys[1:], "RSA and Ed25519": keys}
    signers = {name: DkimSigner("example.jp", some) for name, some in chosen.items()}
    prepared = {name: signers[name].prepare(fields[:5]) for name in ("RSA", "Ed25519")}
    table: dict[str, Callable[[], object]] = {
        "RSA signature": lambda: rsa_key.sign(b"x" * 1_500, PKCS1v15(), SHA256()),
        "Ed25519 signature": lambda: ed25519_key.sign(b"x" * 32),
        "SHA-256 of the body": lambda: sha256(multipart).digest(),
        "DKIM field, RSA": lambda: prepared["RSA"].sign(fields[5:], multipart),
        "DKIM field, Ed25519": lambda: prepared["Ed25519"].sign(fields[5:], multipart),
        "mint 22 tokens": lambda: tokens.mint(7),
        "render html, joined directly": lambda: html.render(member.values, minted),
        "render html, by the sandbox": lambda: sandboxed.render(member.values, minted),
        "render text, joined directly": lambda: text.render(member.values, minted),
        "MIME body": lambda: body.multipart(rendered[1], rendered[0]),
        "compose, unsigned": _composing(bare, member),
        **{f"compose, {name}": _composing(compiled(signer), member) for name, signer in signers.items()},
    }
    sys.stdout.write(f"{len(rendered[0])} bytes of HTML, {len(bare.links)} links, {len(message)} bytes of mail\n")
    taken = _microseconds(table)
    for name, microseconds in taken.items():
        sys.stdout.write(f"{name:32} {microseconds:8.1f} µs {microseconds / taken['RSA signature']:8.3f}\n")


def _fields(message: bytes) -> list[tuple[bytes, bytes]]:
    """Return a message's header fields, folds included."""
    head = message.partition(b"\r\n\r\n")[0]
    return [(name, value) for name, _, value in (one.partition(b": ") for one in re.split(rb"\r\n(?! )", head))]


def _composing(content: CompiledContent, member: Recipient) -> Callable[[], object]:
    return lambda: content.compose(member, date=DATE)


def _microseconds(table: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the best of many short rounds for each, all in turn: other work on the machine then hits all alike."""
    timers = {name: Timer(call) for name, call in table.items()}
    counts = {name: max(1, int(ROUND_SECONDS / (timer.timeit(20) / 20))) for name, timer in timers.items()}
    best = dict.fromkeys(table, math.inf)
    for _ in range(ROUNDS):
        for name, timer in timers.items():
            best[name] = min(best[name], timer.timeit(counts[name]) / counts[name])
    return {name: seconds * 1e6 for name, seconds in best.items()}


if __name__ == "__main__":
    main()
