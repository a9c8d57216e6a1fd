"""Three workers in three processes keep a receiver's limits together, and a slow receiver delays nobody else."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from core.ways_out import DirectSettings
from delivery.pacing.turns import LATE
from tests.support.counting_sink import CountingSink, counting_sink
from tests.support.dns import dns_server
from tests.support.service import Service, running_service
from tests.support.waiting import eventually

RATE = 40
MESSAGES = 600
NOTED_LATE = 0.2
"""Seconds: a receiver notes what arrives when its process has its turn, and the cores are shared by ten."""


@asynccontextmanager
async def three_workers(shaping: Path, **settings: object) -> AsyncIterator[tuple[Service, CountingSink, CountingSink]]:
    """A service that delivers directly, a slow receiver and one that takes all."""
    async with AsyncExitStack() as stack:
        slow = await stack.enter_async_context(counting_sink("127.0.0.31"))
        quick = await stack.enter_async_context(counting_sink("127.0.0.32", slow.port))
        zone = {
            ("slow.example", "MX"): ["10 mx.slow.example."],
            ("mx.slow.example", "A"): [slow.host],
            ("quick.example", "MX"): ["10 mx.quick.example."],
            ("mx.quick.example", "A"): [quick.host],
        }
        dns = await stack.enter_async_context(dns_server(zone))
        service = await stack.enter_async_context(
            running_service(
                workers=3,
                direct=(DirectSettings(name="out"),),
                direct_port=slow.port,
                dns_servers=(dns.address,),
                loopback_routes=True,
                shaping_file=shaping,
                **settings,
            )
        )
        yield service, slow, quick


async def test_three_workers_keep_one_rate_and_one_number_of_connections(tmp_path: Path) -> None:
    shaping = tmp_path / "shaping.toml"
    shaping.write_text(
        '[provider.slow]\nmx = ["mx.slow.example"]\nconnections = 4\nstart = 4\nmessages_per_connection = 7\n'
        f'rate = "{RATE}/s"\n'
    )
    # Short slices: nobody holds more than a second's worth, so that all three take part.
    async with three_workers(shaping, slice_seconds=1) as (service, slow, _):
        await service.import_members([f"member{n}@slow.example" for n in range(MESSAGES)])
        campaign = await service.campaign(at="now")
        await service.reaches(campaign, "finished", within=60)
        workers = await service.main_owner.fetchval("SELECT count(DISTINCT owner) FROM intent")
        await service.verified()
    assert slow.received.total() == MESSAGES
    assert workers >= 2, "one alone would prove nothing"
    assert slow.most_connected <= 4
    assert slow.most_in_one <= 7
    for seconds in (0.5, 1.0, 2.0, 5.0):
        # Within one message of the turns, each of which may be used a moment late, and noted later still.
        assert slow.most_within(seconds) <= RATE * (seconds + LATE + NOTED_LATE) + 1
    taken = slow.arrivals[-1] - slow.arrivals[0]
    assert taken < MESSAGES / RATE * 2.5, "the rate is used, not only kept"


async def test_a_throttled_fifth_of_a_list_delays_no_other_recipient(tmp_path: Path) -> None:
    shaping = tmp_path / "shaping.toml"
    shaping.write_text('[provider.slow]\nmx = ["mx.slow.example"]\nrate = "1/s"\n')
    async with three_workers(shaping) as (service, slow, quick):
        await service.import_members([f"member{n}@{'slow' if n % 5 == 0 else 'quick'}.example" for n in range(4_000)])
        campaign = await service.campaign(at="now")

        async def all_others() -> bool:
            return quick.received.total() == 3_200

        await eventually(all_others, within=40)
        throttled = slow.received.total()
        others = quick.arrivals[-1] - quick.arrivals[0]
        assert throttled <= quick.arrivals[-1] - slow.arrivals[0] + 2
        assert others < 15, "what was slow was the receiver that asked for it"

        async def goes_on() -> bool:
            return slow.received.total() >= throttled + 5

        await eventually(goes_on, within=20)
        assert slow.most_within(5.0) <= 6
        assert slow.most_connected == 1
        await service.post(f"/v1/campaigns/{campaign}/cancel")
        await service.reaches(campaign, "cancelled", within=20)
        await service.verified()
