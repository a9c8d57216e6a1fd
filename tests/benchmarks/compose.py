"""What a message costs before it is sent: rendering, MIME, signatures, all of it. `python -m tests.benchmarks.compose`.

10 KB of HTML with 20 tracked links and a text part, both holding Japanese.
"""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from timeit import Timer
from uuid import UUID

from core.tokens import LinkSigner
from delivery.compose.assemble import assemble
from delivery.compose.compiled import CompiledContent, Recipient, compile_content
from delivery.compose.content import Content, Sender
from delivery.compose.mime import Body
from delivery.dkim import DkimSigner, generate_keys

RUN = UUID("0192f0c1-2b3c-7d4e-8f50-a1b2c3d4e5f6")
DATE = datetime(2026, 12, 1, tzinfo=UTC)
TRACKER = "https://t.example.jp"
HTML_BYTES = 10_000


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
    """Print µs for each part, best of five."""
    member = Recipient(7, RUN, "taro@example.jp", {"name": "髙橋 太郎", "points": 1200})
    rsa, ed25519 = generate_keys()
    parts = {direct: assemble(example(), tracker_url=TRACKER, direct=direct) for direct in (True, False)}
    tokens = ["0" * 48] * (2 + len(parts[True].links))
    html = parts[True].html
    sandboxed = parts[False].html
    if html is None or sandboxed is None:
        raise AssertionError
    body = Body(b"seed", has_html=True)
    rendered = html.render(member.values, tokens), parts[True].text.render(member.values, tokens)
    signer = LinkSigner({1: b"k" * 32}, 1)
    bare = compiled(None)
    chosen = {"RSA": [rsa], "Ed25519": [ed25519], "RSA and Ed25519": [rsa, ed25519]}
    signed = {
        name: compiled(DkimSigner("example.jp", [(key.selector, key.private) for key in keys]))
        for name, keys in chosen.items()
    }
    table: dict[str, Callable[[], object]] = {
        "mint 22 tokens": lambda: signer.mint(RUN, 7, range(22)),
        "render html, joined directly": lambda: html.render(member.values, tokens),
        "render html, by the sandbox": lambda: sandboxed.render(member.values, tokens),
        "MIME body": lambda: body.multipart(rendered[1], rendered[0]),
        "compose, unsigned": lambda: bare.compose(member, date=DATE),
        **{f"compose, {name}": _composing(content, member) for name, content in signed.items()},
    }
    size = len(bare.compose(member, date=DATE).message)
    sys.stdout.write(f"{len(rendered[0])} bytes of HTML, {len(bare.links)} links, {size} bytes of mail\n")
    for name, call in table.items():
        sys.stdout.write(f"{name:32} {_microseconds(call):8.1f} µs\n")


def _composing(content: CompiledContent, member: Recipient) -> Callable[[], object]:
    return lambda: content.compose(member, date=DATE)


def _microseconds(call: Callable[[], object]) -> float:
    timer = Timer(call)
    count = max(1, int(0.05 / (timer.timeit(20) / 20)))
    return min(timer.repeat(5, count)) / count * 1e6


if __name__ == "__main__":
    main()
