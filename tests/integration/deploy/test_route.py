"""`todoku route`: the way of mail to a domain, by a DNS server of our own."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest

from core.clock import Clock
from core.errors import InvalidInput
from core.ids import IdSource
from core.settings import Settings
from core.ways_out import DirectSettings, RelaySettings
from delivery.pacing.restrictions import Restrictions
from delivery.pacing.sites import Sites
from delivery.routing.errors import NoSuchDomain, NullMx
from deploy.accounts import create_account
from deploy.dsns import Dsns
from deploy.operating import way
from deploy.operating.places import Places
from members.kek import Kek
from tests.support.command_line import todoku
from tests.support.dns import DnsServer, dns_server

ZONE = {
    ("shop.example", "MX"): ["20 mx2.shop.example.", "10 mx1.shop.example."],
    ("mx1.shop.example", "A"): ["192.0.2.1"],
    ("mx2.shop.example", "A"): ["192.0.2.2"],
    ("docomo.example", "MX"): ["10 mfsmax.docomo.ne.jp."],
    ("mfsmax.docomo.ne.jp", "A"): ["192.0.2.3"],
    ("nomail.example", "MX"): ["0 ."],
}


@pytest.fixture
async def server() -> AsyncIterator[DnsServer]:
    async with dns_server(ZONE) as made:
        yield made


def settings_for(dsns: Dsns, directory: Path, server: DnsServer, **more: Any) -> Settings:
    usual = {"direct": (DirectSettings(name="mx1", weight=2),), "dns_servers": (server.address,)}
    return Settings(data_dir=directory, main_dsn=dsns.main, members_dsn=dsns.members, **(usual | more))


async def test_hosts_limits_restrictions_and_sources_of_a_domain_are_found(
    dsns: Dsns,
    main: asyncpg.Pool,
    vault: asyncpg.Pool,
    new_id: IdSource,
    clock: Clock,
    server: DnsServer,
    tmp_path: Path,
) -> None:
    kek = Kek.load_or_create(tmp_path / "keys" / "kek")
    await create_account(main, vault, kek, new_id, "default")
    settings = settings_for(dsns, tmp_path, server)
    found = await way.find(settings, main, clock, "shop.example")
    assert found.route is not None
    assert [(host.name, host.addresses) for host in found.route.hosts] == [
        ("mx1.shop.example", ("192.0.2.1",)),
        ("mx2.shop.example", ("192.0.2.2",)),
    ]
    assert (found.site_id, found.why_not) == (None, "nothing was sent there yet")
    site = await Places(settings, main, clock).find_or_number("shop.example")
    other = await Places(settings, main, clock).find_or_number("docomo")
    source = await Sites(main).source("mx1")
    for source_id, site_id in ((None, site.site_id), (None, other.site_id), (source, None), (None, 0)):
        await Restrictions(main).impose(
            source_id=source_id,
            site_id=site_id,
            connections=1,
            rate=None,
            seconds=600,
            reason="x",
            imposed_by="operator",
        )
    found = await way.find(settings, main, clock, "shop.example")
    assert (found.site_id, found.why_not) == (site.site_id, None)
    assert sorted(one.where for one in found.restrictions) == ["mx1", f"site-{site.site_id}"]
    assert found.limits is not None
    assert (found.limits.connections, found.limits.tls) == (10, "opportunistic")
    [carrier] = found.carriers
    assert (carrier.name, carrier.weight, carrier.held) == ("mx1", 2, "slowed to 1 connection for 10 min")


async def test_a_provider_is_known_by_its_hosts_even_without_the_key_file(
    dsns: Dsns, main: asyncpg.Pool, clock: Clock, server: DnsServer, tmp_path: Path
) -> None:
    number = await Sites(main).number(bytes(range(16)), "docomo")
    await Restrictions(main).impose(
        source_id=None, site_id=number, connections=0, rate=None, seconds=600, reason="x", imposed_by="operator"
    )
    await main.execute("INSERT INTO account (account_id, name) VALUES (gen_random_uuid(), 'default')")
    found = await way.find(settings_for(dsns, tmp_path, server), main, clock, "docomo.example")
    assert found.route is not None
    assert found.route.provider == "docomo"
    assert found.limits is not None
    assert (found.limits.connections, found.limits.rate) == (2, 10.0)
    assert "key file" in (found.why_not or "")
    assert [one.where for one in found.restrictions] == ["docomo"]


async def test_with_relays_alone_nothing_is_asked_of_dns(
    dsns: Dsns, main: asyncpg.Pool, clock: Clock, server: DnsServer, tmp_path: Path
) -> None:
    relay = RelaySettings(name="out", host="mail.example", port=587, weight=3, daily_cap=1_000)
    settings = settings_for(dsns, tmp_path, server, direct=(), relays=(relay,))
    found = await way.find(settings, main, clock, "shop.example")
    assert (found.route, found.limits) == (None, None)
    [carrier] = found.carriers
    assert (carrier.to, carrier.weight, carrier.daily_cap) == ("the relay mail.example:587", 3, 1_000)
    mailbox = await way.find(settings_for(dsns, tmp_path, server, direct=()), main, clock, "shop.example")
    assert [one.name for one in mailbox.carriers] == ["mailbox"]
    assert not server.asked


async def test_a_domain_that_takes_no_mail_says_so(
    dsns: Dsns, main: asyncpg.Pool, clock: Clock, server: DnsServer, tmp_path: Path
) -> None:
    settings = settings_for(dsns, tmp_path, server)
    for domain, error in (("nobody.example", NoSuchDomain), ("nomail.example", NullMx)):
        with pytest.raises(error):
            await way.find(settings, main, clock, domain)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("taro@Shop.Example", "shop.example"),
        ("shop.example.", "shop.example"),
        ('"a@b"@x.jp', "x.jp"),
        ("届く.jp", "届く.jp"),
    ],
)
def test_an_address_is_read_for_its_domain_alone(text: str, domain: str) -> None:
    assert way.domain_of(text) == domain


@pytest.mark.parametrize("text", ["", "taro@", "taro", "taro@x y.jp", "@", "a:b.c"])
def test_what_is_neither_address_nor_domain_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        way.domain_of(text)
    assert not text or text not in caught.value.detail


async def test_the_command_prints_the_domain_and_nobodys_name(
    dsns: Dsns, main: asyncpg.Pool, server: DnsServer, tmp_path: Path
) -> None:
    settings = {
        "data_dir": tmp_path,
        "main_dsn": dsns.main,
        "direct": '[{"name": "mx1"}]',
        "dns_servers": orjson.dumps([server.address]).decode(),
    }
    done = await asyncio.to_thread(todoku, "route", "taro.yamada@docomo.example", **settings)
    assert done.returncode == 0, done.stderr
    assert "taro" not in done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["domain", "docomo.example"]
    assert lines[2].split() == ["host", "1", "mfsmax.docomo.ne.jp:", "192.0.2.3"]
    assert "2 connections, 1 at first, 10 messages/s, 100 messages a connection" in done.stdout
    assert lines[-1].startswith("source      mx1 to the hosts")
    shown = orjson.loads((await asyncio.to_thread(todoku, "route", "docomo.example", "--json", **settings)).stdout)
    assert (shown["provider"], shown["site"], shown["limits"]["rate"]) == ("docomo", None, 10.0)
    refused = await asyncio.to_thread(todoku, "route", "taro@nobody.example", **settings)
    assert refused.returncode == 1
    assert "taro" not in refused.stderr
    assert "does not exist" in refused.stderr
