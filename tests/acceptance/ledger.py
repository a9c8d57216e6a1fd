"""What a receiver's ledger must say of a run, whatever was killed in its course."""

from tests.support.service import Service

CONNECTIONS = 10


async def check_ledger(service: Service, campaign: str, addresses: list[str], *, kills: int) -> None:
    """accepted ⊆ received ⊆ accepted ∪ uncertain; nothing twice; uncertain ≤ connections open at each kill."""
    await service.verified()
    received = await service.received()
    assert set(received.values()) <= {1}, "a message came twice"
    assert set(received) <= set(addresses)
    report = (await service.get(f"/v1/reports/campaigns/{campaign}"))["total"]
    assert report["waiting"] == 0
    assert report["accepted"] <= received.total() <= report["accepted"] + report["uncertain"]
    assert report["accepted"] + report["uncertain"] == len(addresses)
    assert report["uncertain"] <= kills * CONNECTIONS
