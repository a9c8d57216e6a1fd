import asyncio
import base64
import re
from collections.abc import AsyncIterator
from hashlib import sha256
from uuid import UUID

import asyncpg
import httpx
import pytest

from core.ids import IdSource
from core.tokens import SLOT_LINK, SLOT_OPEN, SLOT_UNSUBSCRIBE, LinkSigner
from tests.support.raw_http import said
from tests.support.runs import SIGNER, Run, make_run
from tests.support.tracker import PAGES, served_tracker, tracker
from tracking import tallies
from tracking.endpoint.connection import Bounds
from tracking.links import Links

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n',
    "multipart/form-data; boundary=b",
)


@pytest.fixture
async def sent(main: asyncpg.Pool, new_id: IdSource) -> Run:
    return await make_run(main, new_id)


@pytest.fixture
async def web(main_tracker: asyncpg.Pool) -> AsyncIterator[httpx.AsyncClient]:
    async with tracker(main_tracker) as client:
        yield client


async def counted(main: asyncpg.Pool, run: Run) -> dict[tuple[str, int], tuple[int, int]]:
    return {(t.kind, t.link): (t.total, t.people) for t in await tallies.read(main, [run.run_id])}


async def test_loading_the_pixel_is_counted_as_an_open(main: asyncpg.Pool, web: httpx.AsyncClient, sent: Run) -> None:
    for seq in (1, 1, 2):
        answer = await web.get(sent.open_path(seq))
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "image/gif"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.content[:6] == b"GIF89a"
        assert int.from_bytes(answer.content[6:8], "little") == int.from_bytes(answer.content[8:10], "little") == 1
    assert await counted(main, sent) == {("open", -1): (3, 2)}
    assert await main.fetchval("SELECT count(*) FROM event WHERE run_id = $1 AND kind = 'open'", sent.run_id) == 3


async def test_a_click_leads_to_the_link_that_was_frozen_with_the_run(
    main: asyncpg.Pool, web: httpx.AsyncClient, sent: Run
) -> None:
    answer = await web.get(sent.click_path(1, 0))
    assert answer.status_code == 302
    assert answer.headers["location"] == "https://shop.example.jp/spring?a=1&b=2"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    answer = await web.get(sent.click_path(1, 1))
    assert answer.headers["location"] == "https://shop.example.jp/%E5%A4%8F%20%E3%81%AE%E6%97%A5"
    await web.get(sent.click_path(2, 1))
    assert await counted(main, sent) == {("click", -1): (3, 2), ("click", 0): (1, 1), ("click", 1): (2, 2)}


async def test_a_link_goes_on_with_what_is_sealed_behind_its_token(
    main: asyncpg.Pool, web: httpx.AsyncClient, new_id: IdSource
) -> None:
    sent = await make_run(main, new_id, links=["https://shop.example.jp/c?code={+personal}", "https://b.example/"])
    tokens = SIGNER.for_run(sent.run_id, [SLOT_LINK, SLOT_LINK + 1])
    personal, constant = tokens.mint(1)[0]
    ends = {"7F&n=é ": "7F&n=%C3%A9%20", "": "", "@evil.example/\r\nx: y": "@evil.example/%0D%0Ax:%20y"}
    for end, quoted in ends.items():
        answer = await web.get(f"/c/{personal.decode()}{tokens.seal(personal, end).decode()}")
        assert (answer.status_code, answer.headers["location"]) == (302, "https://shop.example.jp/c?code=" + quoted)
    sealed = tokens.seal(personal, "7F").decode()
    for wrong in (constant.decode() + sealed, personal.decode() + sealed[:-1], personal.decode() + "A" * 10_000):
        assert (await web.get("/c/" + wrong)).status_code == 404
    assert (await web.get(f"/c/{constant.decode()}{tokens.seal(constant, 'x').decode()}")).status_code == 404
    assert await counted(main, sent) == {("click", -1): (3, 1), ("click", 0): (3, 1)}


async def test_no_request_can_name_a_target_of_its_own(main: asyncpg.Pool, web: httpx.AsyncClient, sent: Run) -> None:
    answer = await web.get(sent.click_path(1, 0) + "?url=https://evil.example&to=//evil.example")
    assert answer.headers["location"] == "https://shop.example.jp/spring?a=1&b=2"
    for path in (sent.click_path(1, 3), sent.click_path(1, 499)):
        answer = await web.get(path)
        assert (answer.status_code, "location" in answer.headers) == (404, False)
    assert await counted(main, sent) == {("click", -1): (1, 1), ("click", 0): (1, 1)}


async def test_a_token_with_any_byte_changed_is_not_found(
    main: asyncpg.Pool, web: httpx.AsyncClient, sent: Run
) -> None:
    for path, method in ((sent.open_path(1), "GET"), (sent.click_path(1), "GET"), (sent.unsubscribe_path(1), "POST")):
        route, token = path[:3], path[3:]
        raw = base64.urlsafe_b64decode(token)
        for at in range(len(raw)):
            flipped = raw[:at] + bytes((raw[at] ^ 1,)) + raw[at + 1 :]
            answer = await web.request(method, route + base64.urlsafe_b64encode(flipped).decode())
            assert (answer.status_code, "location" in answer.headers) == (404, False)
        for at in range(len(token)):
            other = "A" if token[at] != "A" else "B"
            assert (await web.request(method, route + token[:at] + other + token[at + 1 :])).status_code == 404
        for wrong in ("", token[:-1], token + "A", token + "=", "%00" * 48, "x" * 5_000):
            assert (await web.request(method, route + wrong)).status_code == 404
    assert await main.fetchval("SELECT count(*) FROM event") == 0
    assert await main.fetchval("SELECT count(*) FROM stop") == 0


async def test_a_token_is_good_for_its_own_slot_only(main: asyncpg.Pool, web: httpx.AsyncClient, sent: Run) -> None:
    opens, clicks, leaves = (path[3:] for path in (sent.open_path(1), sent.click_path(1), sent.unsubscribe_path(1)))
    for method, path in (
        ("POST", f"/u/{opens}"),
        ("POST", f"/u/{clicks}"),
        ("GET", f"/u/{opens}"),
        ("GET", f"/o/{clicks}"),
        ("GET", f"/o/{leaves}"),
        ("GET", f"/c/{opens}"),
        ("GET", f"/c/{leaves}"),
        ("GET", f"/p/{leaves}"),
    ):
        assert (await web.request(method, path)).status_code == 404
    foreign = LinkSigner({1: b"x" * 32}, 1).mint(sent.run_id, 1, [SLOT_UNSUBSCRIBE])[0]
    assert (await web.post(f"/u/{foreign}")).status_code == 404
    assert await main.fetchval("SELECT count(*) FROM event") == 0


async def test_an_authentic_token_of_a_delivery_that_never_was_stores_nothing(
    main: asyncpg.Pool, web: httpx.AsyncClient, sent: Run, new_id: IdSource
) -> None:
    nobody = [(sent.run_id, 4), (new_id(), 1), (UUID("00000000-0000-7000-8000-000000000000"), 1)]
    for run_id, seq in nobody:
        opens, leaves, link = SIGNER.mint(run_id, seq, [SLOT_OPEN, SLOT_UNSUBSCRIBE, SLOT_LINK])
        assert (await web.get(f"/o/{opens}")).status_code == 404
        assert (await web.get(f"/c/{link}")).status_code == 404
        assert (await web.post(f"/u/{leaves}")).status_code == 404
    for table in ("event", "first_event", "tally_delta", "stop"):
        assert await main.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_a_head_request_counts_nothing(main: asyncpg.Pool, web: httpx.AsyncClient, sent: Run) -> None:
    assert (await web.head(sent.open_path(1))).status_code == 200
    answer = await web.head(sent.click_path(1))
    assert (answer.status_code, answer.headers["location"]) == (302, "https://shop.example.jp/spring?a=1&b=2")
    assert (await web.head(sent.unsubscribe_path(1))).status_code == 303
    assert (await web.head(sent.unsubscribe_path(1) + "A")).status_code == 404
    assert await main.fetchval("SELECT count(*) FROM event") == 0
    assert await main.fetchval("SELECT count(*) FROM stop") == 0


async def test_readers_are_sent_on_to_their_own_pages_and_nothing_changes_by_it(
    main: asyncpg.Pool, web: httpx.AsyncClient, sent: Run
) -> None:
    for path in (sent.unsubscribe_path(1), sent.preferences_path(1), sent.web_path(1)):
        answer = await web.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, PAGES + path)
    assert await main.fetchval("SELECT count(*) FROM event") == 0
    assert await main.fetchval("SELECT count(*) FROM stop") == 0


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"List-Unsubscribe=One-Click", "application/x-www-form-urlencoded"),
        MULTIPART,
        (b"", ""),
        (b"List-Unsubscribe=One-Click", ""),
        (b"x" * 4_096, "application/octet-stream"),
    ],
)
async def test_one_post_without_cookies_unsubscribes(
    main: asyncpg.Pool, web: httpx.AsyncClient, sent: Run, body: bytes, kind: str
) -> None:
    answer = await web.post(sent.unsubscribe_path(2), content=body, headers={"content-type": kind} if kind else {})
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    stop = await main.fetchrow("SELECT * FROM stop")
    assert stop is not None
    assert (stop["account_id"], stop["member_id"]) == (sent.account_id, sent.members[1])
    assert (stop["scope"], stop["reason"], stop["carried_at"]) == ("all", "unsubscribed", None)
    assert await counted(main, sent) == {("unsubscribe", -1): (1, 1)}


async def test_unsubscribing_again_says_the_same_and_counts_one_person(
    main: asyncpg.Pool, web: httpx.AsyncClient, sent: Run
) -> None:
    answers = [await web.post(sent.unsubscribe_path(1), data=ONE_CLICK) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].text == answers[1].text
    assert await counted(main, sent) == {("unsubscribe", -1): (2, 1)}
    assert await main.fetchval("SELECT count(*) FROM stop") == 1


async def test_a_stop_that_stands_already_is_left_as_it_is(
    main: asyncpg.Pool, web: httpx.AsyncClient, sent: Run
) -> None:
    await main.execute(
        "INSERT INTO stop (account_id, member_id, reason, occurred_at) VALUES ($1, $2, 'complained', '2026-01-01')",
        sent.account_id,
        sent.members[0],
    )
    assert (await web.post(sent.unsubscribe_path(1), data=ONE_CLICK)).status_code == 200
    assert await main.fetchval("SELECT reason FROM stop") == "complained"


async def test_a_body_over_4_kb_is_refused_and_changes_nothing(
    main: asyncpg.Pool, web: httpx.AsyncClient, sent: Run
) -> None:
    assert (await web.post(sent.unsubscribe_path(1), content=b"x" * 4_097)).status_code == 413
    assert await main.fetchval("SELECT count(*) FROM event") == 0


async def test_a_body_that_does_not_arrive_in_time_is_refused(
    main: asyncpg.Pool, main_tracker: asyncpg.Pool, sent: Run
) -> None:
    head = f"POST {sent.unsubscribe_path(1)} HTTP/1.1\r\ncontent-length: 26\r\n\r\n"
    async with served_tracker(main_tracker, bounds=Bounds(body_seconds=0.05, look=0.01)) as port:
        answer = await asyncio.wait_for(said(port, head.encode() + b"List-"), 30)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert await main.fetchval("SELECT count(*) FROM stop") == 0


async def test_only_the_links_of_recent_runs_are_kept(
    main: asyncpg.Pool, main_tracker: asyncpg.Pool, new_id: IdSource
) -> None:
    runs = [await make_run(main, new_id, links=[f"https://a.example/{n}"]) for n in range(5)]
    links = Links(main_tracker, keep=2)
    for n, run in [*enumerate(runs), *enumerate(runs)]:
        kept = await links.of(run.run_id)
        assert (kept.account_id, kept.targets) == (run.account_id, (f"https://a.example/{n}",))
        assert await links.of(run.run_id) is kept
        assert len(links._kept) <= 2


async def test_other_methods_and_paths_are_refused_with_a_small_page(web: httpx.AsyncClient, sent: Run) -> None:
    for method, path in (
        ("POST", sent.open_path(1)),
        ("POST", sent.click_path(1)),
        ("PUT", sent.unsubscribe_path(1)),
        ("DELETE", sent.unsubscribe_path(1)),
        ("OPTIONS", "/healthz"),
        ("TRACE", sent.open_path(1)),
    ):
        answer = await web.request(method, path)
        assert answer.status_code == 405
        assert "GET" in answer.headers["allow"]
        assert len(answer.content) < 4_000
    for path in ("/", "/o/", "/docs", "/openapi.json", "/u/a/b", "//o/x", sent.open_path(1) + "/"):
        answer = await web.get(path, headers={"accept-language": "ja"})
        assert answer.status_code == 404
        assert "ページが見つかりません" in answer.text


async def test_every_answer_carries_strict_headers(web: httpx.AsyncClient, sent: Run) -> None:
    for answer in (
        await web.get(sent.open_path(1)),
        await web.get(sent.click_path(1)),
        await web.get(sent.unsubscribe_path(1)),
        await web.post(sent.unsubscribe_path(1)),
        await web.post(sent.open_path(1)),
        await web.get("/nowhere"),
        await web.get("/healthz"),
    ):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_the_pages_own_style_is_the_only_one_that_their_policy_lets_in(web: httpx.AsyncClient) -> None:
    page = await web.get("/nowhere")
    style = re.search(r"<style>(.*?)</style>", page.text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in page.headers["content-security-policy"]


async def test_the_tracker_says_that_it_takes_events(web: httpx.AsyncClient) -> None:
    assert (await web.get("/healthz")).status_code == 200


async def test_a_test_sends_events_are_counted_for_its_own_run(
    main: asyncpg.Pool, web: httpx.AsyncClient, sent: Run, new_id: IdSource
) -> None:
    test = await make_run(
        main, new_id, kind="test", account_id=sent.account_id, campaign_id=sent.campaign_id, recipients=1
    )
    await web.get(test.open_path(1))
    assert await counted(main, test) == {("open", -1): (1, 1)}
    assert await counted(main, sent) == {}
