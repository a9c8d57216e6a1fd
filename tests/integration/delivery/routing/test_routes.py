"""Routes by a real resolver from a real DNS server on loopback."""

import asyncio
from collections.abc import Sequence
from random import Random

import pytest

from core.errors import ConfigurationError
from delivery.routing.errors import NoSuchDomain, NotResolved, NullMx
from delivery.routing.resolver import DnsResolver
from delivery.routing.router import Router
from delivery.routing.routes import Route
from tests.support.dns import DnsServer, dns_server

ZONE = {
    ("example.jp", "MX"): ["20 mx2.example.jp.", "10 mx1.example.jp."],
    ("mx1.example.jp", "A"): ["192.0.2.1", "192.0.2.2"],
    ("mx1.example.jp", "AAAA"): ["2001:db9::1"],
    ("mx2.example.jp", "A"): ["192.0.2.3"],
    ("implicit.example", "A"): ["192.0.2.9"],
    ("null.example", "MX"): ["0 ."],
    ("hostless.example", "MX"): ["10 gone.example."],
    ("inward.example", "MX"): ["10 loop.example."],
    ("loop.example", "A"): ["127.0.0.1", "0.0.0.0"],  # noqa: S104 - told apart, not bound
    ("alias.example", "CNAME"): ["example.jp."],
    ("xn--r8jz45g.jp", "MX"): ["10 mx1.example.jp."],
    ("empty.example", "TXT"): ["nothing"],
    ("big.example", "MX"): ["10 a.mail.big-provider.example.", "10 b.mail.big-provider.example."],
    ("a.mail.big-provider.example", "A"): ["192.0.2.20"],
    ("b.mail.big-provider.example", "A"): ["192.0.2.21"],
    ("half.example", "MX"): ["10 mx1.example.jp.", "20 failing.example."],
    ("failing.example", "A"): ["192.0.2.77"],
    ("failing-only.example", "MX"): ["10 failing.example."],
}


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_000.0

    def monotonic(self) -> float:
        return self.seconds


def provider_of(names: Sequence[str]) -> str | None:
    return "big" if all(name.endswith("big-provider.example") for name in names) else None


def router(server: DnsServer, clock: Clock | None = None, **how: object) -> Router:
    return Router(
        DnsResolver([server.address], lifetime=2.0),
        provider_of=provider_of,
        clock=clock or Clock(),  # type: ignore[arg-type]
        random=Random(7),
        **how,  # type: ignore[arg-type]
    )


async def test_hosts_come_by_preference_with_all_their_addresses() -> None:
    async with dns_server(ZONE) as server:
        route = await router(server).route("example.jp")
    assert [host.name for host in route.hosts] == ["mx1.example.jp", "mx2.example.jp"]
    assert set(route.hosts[0].addresses) == {"192.0.2.1", "192.0.2.2", "2001:db9::1"}
    assert route.key == "mx1.example.jp mx2.example.jp"
    assert (route.provider, route.site_key) == (None, "mx mx1.example.jp mx2.example.jp")


async def test_hosts_of_equal_preference_are_shuffled_and_are_one_route() -> None:
    first = set()
    keys = set()
    async with dns_server(ZONE) as server:
        for seed in range(12):
            one = Router(DnsResolver([server.address]), provider_of=provider_of, clock=Clock(), random=Random(seed))  # type: ignore[arg-type]
            route = await one.route("big.example")
            first.add(route.hosts[0].name)
            keys.add((route.key, route.provider, route.site_key))
    assert first == {"a.mail.big-provider.example", "b.mail.big-provider.example"}
    assert keys == {("a.mail.big-provider.example b.mail.big-provider.example", "big", "provider big")}


async def test_a_domain_without_mx_is_its_own_host() -> None:
    async with dns_server(ZONE) as server:
        route = await router(server).route("implicit.example")
    assert [(host.name, host.addresses, host.port) for host in route.hosts] == [
        ("implicit.example", ("192.0.2.9",), 25)
    ]


@pytest.mark.parametrize(
    ("domain", "error"),
    [
        ("null.example", NullMx),
        ("nowhere.example", NoSuchDomain),
        ("hostless.example", NoSuchDomain),
        ("empty.example", NoSuchDomain),
        ("inward.example", NoSuchDomain),
        ("a..b.example", NoSuchDomain),
        ("x" * 64 + ".example", NoSuchDomain),
        ("[10.0.0.999]", NoSuchDomain),
        ("[127.0.0.1]", NoSuchDomain),
        ("failing-only.example", NotResolved),
        ("failing.example", NotResolved),
    ],
)
async def test_what_has_no_route_says_why_and_names_no_domain(domain: str, error: type[Exception]) -> None:
    async with dns_server(ZONE, failing={"failing.example"}) as server:
        with pytest.raises(error) as raised:
            await router(server).route(domain)
    assert domain not in str(raised.value)


async def test_a_host_that_can_not_be_looked_up_now_leaves_the_others() -> None:
    async with dns_server(ZONE, failing={"failing.example"}) as server:
        route = await router(server).route("half.example")
    assert [host.name for host in route.hosts] == ["mx1.example.jp"]


async def test_an_alias_is_followed_and_a_japanese_domain_asked_for_by_its_a_label() -> None:
    async with dns_server(ZONE) as server:
        one = router(server)
        assert (await one.route("alias.example")).key == "mx1.example.jp mx2.example.jp"
        assert (await one.route("例え.jp")).key == "mx1.example.jp"


async def test_loopback_is_followed_only_where_that_is_allowed() -> None:
    async with dns_server(ZONE) as server:
        route = await router(server, allow_loopback=True).route("inward.example")
    assert route.hosts[0].addresses == ("127.0.0.1",)


async def test_a_thousand_messages_ask_once_and_again_when_the_time_is_over() -> None:
    clock = Clock()
    async with dns_server(ZONE, ttl=120) as server:
        one = router(server, clock)
        assert one.known("example.jp") is None
        routes = await asyncio.gather(*(one.route("example.jp") for _ in range(1_000)))
        assert server.asked["example.jp", "MX"] == 1
        assert set(routes) == {routes[0]}
        clock.seconds += 119
        assert isinstance(one.known("example.jp"), Route)
        clock.seconds += 2
        assert one.known("example.jp") is None
        await one.route("example.jp")
        assert server.asked["example.jp", "MX"] == 2


async def test_a_route_is_remembered_for_a_minute_at_least_and_an_hour_at_most() -> None:
    for ttl, seconds in ((1, 60), (90_000, 3_600)):
        clock = Clock()
        async with dns_server(ZONE, ttl=ttl) as server:
            one = router(server, clock)
            await one.route("example.jp")
            clock.seconds += seconds - 1
            assert one.known("example.jp") is not None
            clock.seconds += 2
            assert one.known("example.jp") is None


async def test_that_nothing_is_there_is_remembered_and_a_failure_only_shortly() -> None:
    clock = Clock()
    async with dns_server(ZONE, failing={"example.jp"}) as server:
        one = router(server, clock)
        for _ in range(3):
            with pytest.raises(NoSuchDomain):
                await one.route("nowhere.example")
            with pytest.raises(NotResolved):
                await one.route("example.jp")
        assert server.asked["nowhere.example", "MX"] == 1
        assert isinstance(one.known("nowhere.example"), NoSuchDomain)
        assert one.known("example.jp") is None
        server.failing.clear()
        clock.seconds += 31
        assert isinstance(await one.route("example.jp"), Route)


async def test_a_silent_server_is_given_up_in_time() -> None:
    async with dns_server(ZONE, silent={"example.jp"}) as server:
        one = Router(
            DnsResolver([server.address], lifetime=0.3),
            provider_of=provider_of,
            clock=Clock(),  # type: ignore[arg-type]
            random=Random(1),
        )
        async with asyncio.timeout(5):
            with pytest.raises(NotResolved):
                await one.route("example.jp")


async def test_static_routes_come_first_and_need_no_dns_for_literals() -> None:
    static = {"Example.jp": ["mx2.example.jp:2525"], "*": ["[127.0.0.1]:2526"]}
    async with dns_server(ZONE) as server:
        one = router(server, static=static, allow_loopback=True)
        named, other = await one.route("example.jp"), await one.route("whatever.example")
        assert not server.asked["example.jp", "MX"]
    assert [(host.name, host.addresses, host.port) for host in named.hosts] == [
        ("mx2.example.jp", ("192.0.2.3",), 2525)
    ]
    assert [(host.addresses, host.port) for host in other.hosts] == [(("127.0.0.1",), 2526)]
    assert named.key != other.key


async def test_an_address_literal_is_its_own_route() -> None:
    async with dns_server(ZONE) as server:
        route = await router(server).route("[192.0.2.44]")
        assert not server.asked
    assert route.hosts[0].addresses == ("192.0.2.44",)


@pytest.mark.parametrize("host", ["mx.example:0", "mx.example:smtp", ":25", "mx.example:70000"])
async def test_a_wrong_static_route_stops_the_start(host: str) -> None:
    async with dns_server({}) as server:
        with pytest.raises(ConfigurationError):
            router(server, static={"example.jp": [host]})


def test_a_wrong_name_server_stops_the_start() -> None:
    with pytest.raises(ConfigurationError):
        DnsResolver(["not an address"])
