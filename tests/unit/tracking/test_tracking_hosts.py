import httpx
import pytest
from starlette.responses import Response

from tracking.endpoint.hosts import KnownHosts


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("click.example.jp", 200),
        ("CLICK.example.jp:443", 200),
        ("127.0.0.1:8081", 200),
        ("[::1]:8081", 200),
        ("[::1]", 200),
        ("localhost", 200),
        ("click.example.jp.evil.example", 421),
        ("evil.example", 421),
        ("", 421),
    ],
)
async def test_a_tracker_answers_under_its_own_names_alone(host: str, status: int) -> None:
    transport = httpx.ASGITransport(KnownHosts(Response("here"), ["Click.example.jp"]))
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as web:
        answer = await web.get("/o/x", headers={"host": host})
    assert answer.status_code == status
    if status != 200:
        assert answer.headers["cache-control"] == "no-store"
