"""Prometheus as an operator scrapes it: what processes count is what the receiver, the tables and the reports count."""

import asyncio
from collections import Counter
from random import Random

import httpx
from prometheus_client.parser import text_string_to_metric_families

from deploy.ports import free_metrics_base, metrics_port, worker_metrics_port
from tests.support.service import Service, running_service, soon
from tests.support.unrelenting import Ledger, Readers, Servers, letters
from tests.support.waiting import eventually

HTML = '<p>{{ name }} 様 <a href="https://example.com/one">one</a> <a href="https://example.com/two">two</a></p>'
Samples = Counter[tuple[str, frozenset[tuple[str, str]]]]


async def scraped(client: httpx.AsyncClient, *ports: int) -> Samples:
    """The samples of several processes, added up."""
    found: Samples = Counter()
    for port in ports:
        text = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found[sample.name, frozenset(sample.labels.items())] += sample.value  # type: ignore[assignment]
    return found


def by(samples: Samples, name: str, label: str) -> dict[str, float]:
    """The sums of one metric for each value of one label."""
    sums: Counter[str] = Counter()
    for (found, labels), value in samples.items():
        if found == name:
            sums[dict(labels)[label]] += value  # type: ignore[assignment]
    return {key: value for key, value in sums.items() if value}


async def test_processes_count_what_the_receiver_the_tables_and_the_reports_count() -> None:
    base = free_metrics_base()
    members = [f"member{n}@example.jp" for n in range(200)]
    odd = [f"bounce-550.{n}@example.jp" for n in range(7)] + [f"defer-451-once.{n}@example.jp" for n in range(5)]
    async with (
        running_service(metrics_port=base, retry_first=0.3, retry_cap=0.5) as service,
        httpx.AsyncClient() as client,
    ):
        await service.import_members([*members, *odd])
        campaign = await service.campaign(at="now", html=HTML)
        await service.reaches(campaign, "finished")
        workers = await scraped(client, *(worker_metrics_port(base, "bulk", slot) for slot in (0, 1)))
        mailbox = await scraped(client, metrics_port(base, "mailbox"))
        tables = {
            row["outcome"]: row["count"]
            for row in await service.main_owner.fetch("SELECT outcome::text, count(*) FROM result GROUP BY outcome")
        }
        assert by(workers, "todoku_results_total", "outcome") == tables == {"accepted": 205, "failed": 7, "deferred": 5}
        assert by(workers, "todoku_results_total", "reason")["no_such_user"] == 7
        assert mailbox["todoku_mailbox_messages_total", frozenset()] == 205 == (await service.received()).total()
        # Each accepted message went through each phase, and refused ones end before the body.
        phases = by(workers, "todoku_smtp_phase_seconds_count", "phase")
        assert phases["message"] >= 205
        assert phases["connect"] == phases["hello"] > 0

        # A campaign to come is seen to wait.
        await service.campaign(at=soon(600))

        async def shown() -> bool:
            scheduler = await scraped(client, metrics_port(base, "scheduler"))
            assert scheduler["todoku_run_lateness_seconds_count", frozenset()] == 1
            return by(scheduler, "todoku_queued_recipients", "state") == {"held": 205}

        await eventually(shown, within=30, step=0.3)
        for port in (metrics_port(base, "api"), metrics_port(base, "tracker"), worker_metrics_port(base, "jobs", 0)):
            lag = await scraped(client, port)
            assert lag["todoku_event_loop_lag_seconds_count", frozenset()] > 0
        await what_comes_back_is_counted_as_reported(service, client, base, campaign, workers)


async def what_comes_back_is_counted_as_reported(
    service: Service, client: httpx.AsyncClient, base: int, campaign: str, workers: Samples
) -> None:
    """People and servers answer; what tracker and inbound counted, and workers before, is what the report says."""
    hand, ledger, ended, chance = await letters(service), Ledger(), asyncio.Event(), Random(7)
    servers = Servers(hand, ledger, service.started.settings.inbound_port, chance)
    busy = [
        asyncio.create_task(Readers(hand, ledger, client, chance).read_until(ended)),
        asyncio.create_task(servers.send_until(ended)),
    ]

    async def each_kind_came() -> bool:
        kinds = Counter(act.kind for act in ledger.answered)
        return len(kinds) == 5 and min(kinds.values()) > 1

    await eventually(each_kind_came, within=30, step=0.05)
    ended.set()
    await asyncio.gather(*busy)
    events: dict[str, float] = {}
    mails: dict[str, float] = {}

    async def all_is_counted() -> bool:
        # On a busy machine some go to the spool, and are counted when they are stored.
        back = await scraped(client, *(metrics_port(base, process) for process in ("tracker", "inbound")))
        events.update(by(back, "todoku_tracking_events_total", "kind"))
        mails.update(by(back, "todoku_inbound_mails_total", "outcome"))
        return sum(events.values()) + sum(mails.values()) == sum(ledger.answered.values())

    await eventually(all_is_counted, within=30, step=0.3)
    figures = (await service.get(f"/v1/reports/campaigns/{campaign}"))["total"]
    results = by(workers, "todoku_results_total", "outcome")
    told = {**results, "opens": events["open"], "clicks": events["click"]}
    assert {name: figures[name] for name in told} == told
    rows = await service.main_owner.fetch("SELECT kind, sum(total)::int AS n FROM analysis.tally GROUP BY kind")
    stored = {row["kind"]: row["n"] for row in rows}
    assert stored["unsubscribe"] == events.get("unsubscribe", 0) + mails.get("unsubscribe", 0)
    assert (stored["bounce"], stored["complaint"]) == (mails["bounce"], mails["complaint"])
    # A report counts people there, of bounces once for each class.
    for name, kind in (("unsubscribes", "unsubscribe"), ("complaints", "complaint"), ("bounces", "bounce")):
        assert figures[name] == len([act for act in ledger.answered if act.kind == kind]) > 0
