"""Direct delivery by a worker: a real DNS server, real sinks on loopback addresses of their own, a real Postgres."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from core.ids import IdSource
from core.ways_out import DirectSettings
from tests.support.counting_sink import CountingSink, counting_sink
from tests.support.delivery import arrange_run, outcomes, running_worker, settled
from tests.support.dns import DnsServer, dns_server
from tests.support.waiting import eventually

DIRECT = DirectSettings(name="out", ehlo_name="mail.shop.example")


class World:
    """Receivers by domain, each at a loopback address of its own, found through DNS."""

    def __init__(self, stack: AsyncExitStack, dns: DnsServer, port: int) -> None:
        self.dns = dns
        self.port = port
        self._stack = stack
        self._next = 10

    async def receiver(self, *domains: str, mx: str | None = None, **how: object) -> CountingSink:
        self._next += 1
        host, name = f"127.0.0.{self._next}", mx or f"mx.{domains[0]}"
        sink = await self._stack.enter_async_context(counting_sink(host, self.port, **how))
        self.dns.zone |= {(domain, "MX"): [f"10 {name}."] for domain in domains} | {(name, "A"): [host]}
        return sink

    @property
    def settings(self) -> dict[str, object]:
        return {
            "direct": (DIRECT,),
            "direct_port": self.port,
            "dns_servers": (self.dns.address,),
            "loopback_routes": True,
        }


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with a_world() as made:
        yield made


@asynccontextmanager
async def a_world() -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        dns = await stack.enter_async_context(dns_server({}))
        first = await stack.enter_async_context(counting_sink("127.0.0.1"))
        yield World(stack, dns, first.port)


def addresses(count: int, domain: str) -> list[str]:
    return [f"member{n}@{domain}" for n in range(count)]


async def test_each_domain_gets_its_mail_from_us_directly(
    main: asyncpg.Pool, new_id: IdSource, world: World, tmp_path: Path
) -> None:
    one, two = await world.receiver("one.example"), await world.receiver("two.example", "three.example")
    to_one, to_two = addresses(30, "one.example"), addresses(20, "two.example") + addresses(10, "three.example")
    run = await arrange_run(main, new_id, [*to_one, *to_two])
    async with running_worker(main, run.members, tmp_path, **world.settings):
        await settled(main, run.run_id)
    assert one.received == Counter(to_one)
    assert two.received == Counter(to_two)
    assert await outcomes(main, run.run_id) == {"accepted": 60}
    recorded = await main.fetch(
        "SELECT source.name, count(DISTINCT site_id) AS sites FROM result JOIN source USING (source_id) GROUP BY 1"
    )
    assert [tuple(row) for row in recorded] == [("out", 2)]
    assert await main.fetchval("SELECT count(*) FROM permit") == 0


async def test_what_dns_says_is_for_good_ends_the_delivery_and_the_rest_is_sent(
    main: asyncpg.Pool, new_id: IdSource, world: World, tmp_path: Path
) -> None:
    good = await world.receiver("good.example")
    world.dns.zone["null.example", "MX"] = ["0 ."]
    run = await arrange_run(
        main, new_id, [*addresses(3, "good.example"), "a@nowhere.example", "b@null.example", "c@[127.0.0.300]"], chunk=3
    )
    async with running_worker(main, run.members, tmp_path, **world.settings):
        await settled(main, run.run_id)
    assert good.received.total() == 3
    assert await outcomes(main, run.run_id) == {"accepted": 3, "failed": 3}
    assert await main.fetchval("SELECT count(*) FROM result WHERE reason = 'no_such_domain'") == 3
    stopped = await main.fetch("SELECT member_id FROM stop WHERE reason = 'bounced'")
    assert {run.members.held[row["member_id"]].address for row in stopped} <= {
        "a@nowhere.example",
        "b@null.example",
        "c@[127.0.0.300]",
    }


async def test_a_domain_that_can_not_be_looked_up_now_is_put_off_without_an_attempt(
    main: asyncpg.Pool, new_id: IdSource, world: World, tmp_path: Path
) -> None:
    good = await world.receiver("good.example")
    late = await world.receiver("late.example")
    world.dns.failing.add("late.example")
    run = await arrange_run(main, new_id, [*addresses(2, "good.example"), "a@late.example"])
    async with running_worker(main, run.members, tmp_path, retry_first=0.2, **world.settings):

        async def put_off() -> bool:
            return bool(await main.fetchval("SELECT EXISTS (SELECT FROM chunk WHERE why = 'dns')"))

        await eventually(put_off)
        assert await main.fetchval("SELECT count(*) FROM intent WHERE seq = 3") == 0
        world.dns.failing.clear()
        # The router remembers a failure for half a minute: a new worker has forgotten it.
    async with running_worker(main, run.members, tmp_path, retry_first=0.2, **world.settings):
        await settled(main, run.run_id)
    assert (good.received.total(), late.received.total()) == (2, 1)
    assert await main.fetchval("SELECT max(try) FROM intent") == 1


async def test_the_next_host_takes_the_mail_of_one_that_is_down(
    main: asyncpg.Pool, new_id: IdSource, world: World, tmp_path: Path
) -> None:
    backup = await world.receiver("two-hosts.example", mx="backup.example")
    world.dns.zone["two-hosts.example", "MX"] = ["10 primary.example.", "20 backup.example."]
    world.dns.zone["primary.example", "A"] = ["127.0.0.99"]  # nobody listens there
    run = await arrange_run(main, new_id, addresses(5, "two-hosts.example"))
    async with running_worker(main, run.members, tmp_path, **world.settings):
        await settled(main, run.run_id)
    assert backup.received.total() == 5


async def test_a_destination_that_is_down_waits_without_an_attempt_and_holds_up_nobody(
    main: asyncpg.Pool, new_id: IdSource, world: World, tmp_path: Path
) -> None:
    good = await world.receiver("good.example")
    world.dns.zone |= {("down.example", "MX"): ["10 mx.down.example."], ("mx.down.example", "A"): ["127.0.0.98"]}
    run = await arrange_run(main, new_id, [*addresses(20, "down.example"), *addresses(20, "good.example")])
    async with running_worker(main, run.members, tmp_path, **world.settings):

        async def only_the_good_are_done() -> bool:
            return await outcomes(main, run.run_id) == {"accepted": 20}

        await eventually(only_the_good_are_done)

        async def put_off() -> bool:
            waiting = await main.fetchval(
                "SELECT sum(cardinality(seqs)) FROM chunk WHERE state = 'ready' AND why = 'site'"
            )
            return bool(waiting == 20)

        await eventually(put_off)
    assert good.received.total() == 20
    assert await main.fetchval("SELECT count(*) FROM intent") == 20
    waiting = await main.fetchrow(
        "SELECT bool_and(site_id IS NOT NULL AND held_since IS NOT NULL) AS known FROM chunk WHERE state = 'ready'"
    )
    assert waiting is not None
    assert waiting["known"]


async def test_mail_that_waited_too_long_for_its_destination_expires(
    main: asyncpg.Pool, new_id: IdSource, world: World, tmp_path: Path
) -> None:
    world.dns.zone |= {("down.example", "MX"): ["10 mx.down.example."], ("mx.down.example", "A"): ["127.0.0.98"]}
    run = await arrange_run(main, new_id, addresses(5, "down.example"))
    async with running_worker(main, run.members, tmp_path, retry_first=0.2, retry_for=2.0, **world.settings):
        await settled(main, run.run_id)
    assert await outcomes(main, run.run_id) == {"failed": 5}
    assert await main.fetchval("SELECT count(*) FROM result WHERE reason = 'expired'") == 5
    assert not await main.fetchval("SELECT EXISTS (SELECT FROM stop)")


async def test_connections_to_one_site_are_bounded_and_reused(
    main: asyncpg.Pool, new_id: IdSource, world: World, tmp_path: Path
) -> None:
    shaping = tmp_path / "shaping.toml"
    shaping.write_text(
        '[provider.careful]\nmx = ["mx.careful.example"]\nconnections = 2\nmessages_per_connection = 10\n'
    )
    careful = await world.receiver("careful.example")
    run = await arrange_run(main, new_id, addresses(100, "careful.example"))
    async with running_worker(main, run.members, tmp_path, shaping_file=shaping, **world.settings):
        await settled(main, run.run_id)
    assert careful.received.total() == 100
    assert careful.most_connected <= 2
    assert careful.most_in_one == 10
    assert 10 <= careful.connections <= 12


async def test_a_response_rule_suspends_the_site_for_every_worker_and_costs_the_others_nothing(
    main: asyncpg.Pool, new_id: IdSource, world: World, tmp_path: Path
) -> None:
    shaping = tmp_path / "shaping.toml"
    shaping.write_text(
        '[provider.touchy]\nmx = ["mx.touchy.example"]\n\n[[rule]]\nname = "touchy"\nprovider = ["touchy"]\n'
        'match = \'go away\'\naction = "suspend"\nduration = "2h"\nexample = "450 go away"\n'
    )
    touchy = await world.receiver("touchy.example", answer=lambda _: b"450 4.7.1 go away")
    good = await world.receiver("good.example")
    run = await arrange_run(
        main, new_id, [*addresses(200, "touchy.example"), *addresses(20, "good.example")], chunk=110
    )
    async with running_worker(main, run.members, tmp_path, shaping_file=shaping, **world.settings):

        async def handed_on() -> bool:
            row = await main.fetchrow(
                "SELECT coalesce(sum(cardinality(seqs)) FILTER (WHERE state = 'ready'), 0) AS waiting, "
                "count(*) FILTER (WHERE state = 'leased') AS leased FROM chunk"
            )
            return row is not None and row["waiting"] == 200 and row["leased"] == 0

        await eventually(handed_on, within=20)
    assert good.received.total() == 20
    assert not touchy.received
    restriction = await main.fetchrow(
        "SELECT connections, reason, imposed_by, ends_at - app.now() AS left FROM restriction"
    )
    assert restriction is not None
    assert (restriction["connections"], restriction["imposed_by"]) == (0, "rule")
    assert "touchy" in restriction["reason"]
    tried = await main.fetchval("SELECT count(DISTINCT seq) FROM result WHERE outcome = 'deferred'")
    assert 0 < tried < 100, "those that were not under way yet keep their attempt"
    waits = await main.fetch("SELECT DISTINCT why FROM chunk WHERE state = 'ready'")
    assert {row["why"] for row in waits} <= {"site", "retry"}
