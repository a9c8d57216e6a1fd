"""`todoku inspect`: the whole story of one delivery."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from deploy.operating.history import Story, Try


def inspect(
    delivery: Annotated[str, typer.Argument(help="Its run and its seq, as run_…/17.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Tell the whole story of one delivery: each try, what came back, and what it waits for now."""
    from deploy.commands.output import show  # noqa: PLC0415 - the command line starts without it

    story = asyncio.run(_read(delivery))
    if json:
        import orjson  # noqa: PLC0415 - as above

        show(orjson.dumps(story.to_json()).decode())
        return
    for line in _lines(story):
        show(line)


async def _read(delivery: str) -> "Story":
    from deploy import databases  # noqa: PLC0415 - as above
    from deploy.operating import history  # noqa: PLC0415

    run_id, seq = history.parse(delivery)
    async with databases.reached(load(), "main", process="inspect") as main:
        return await history.read(main, run_id, seq)


def _lines(story: "Story") -> "Iterator[str]":
    from core import ids  # noqa: PLC0415 - as above
    from deploy.operating import names  # noqa: PLC0415

    facts = story.facts
    test = " (test)" if facts["kind"] == "test" else ""
    yield f"delivery   {ids.encode('run', facts['run_id'])}/{facts['seq']}, of {facts['snapshot']:,} in the snapshot"
    yield f"campaign   {names.campaign(facts['campaign_id'])}{test}, {facts['state']}{_because(facts)}"
    yield f"member     {ids.encode('mem', facts['member_id'])}"
    if facts["site_id"] is not None:
        yield f"site       {names.site(facts['site_id'], facts['provider'])}"
    yield f"state      {story.outcome}"
    for one in story.tries:
        yield f"try {one.number:<6} {_try(one)}"
        if one.detail:
            yield f"           {one.detail}"
    if story.omission is not None:
        yield f"left out   {_time(story.omission['at'])}  {story.omission['reason']}"
    for stop in story.stops:
        lifted = "" if stop["lifted_at"] is None else f", lifted {_time(stop['lifted_at'])}"
        scope = "" if stop["scope"] == "all" else f" of {stop['scope']}"
        yield f"stop       {_time(stop['occurred_at'])}  {stop['reason']}{scope}{lifted}"
    for event in story.events:
        link = f" of link {event['link']}" if event["link"] >= 0 else ""
        bounce = "" if event["class"] is None else f", {event['class']}: {event['reason']} {event['status']}".rstrip()
        yield f"event      {_time(event['occurred_at'])}  {event['kind']}{link}{bounce}"
        if event["evidence"]:
            yield f"           {event['evidence']}"
    if story.place is not None:
        held = story.place.held_since
        since = "" if held is None else f", untried since {_time(held)}"
        yield f"chunk      {story.place.chunk_id}, {story.place.why}{since}"
    for cause in story.waits_for or ["nothing"]:
        yield f"waits for  {cause}"


def _because(facts: dict[str, Any]) -> str:
    until = "" if facts["resume_at"] is None else f" until {_time(facts['resume_at'])}"
    return until + ("" if facts["run_reason"] is None else f": {facts['run_reason']}")


def _try(one: "Try") -> str:
    stations = (("by", one.source), ("to", one.site), ("from", one.worker))
    way = " ".join(f"{word} {station}" for word, station in stations if station is not None)
    outcome = one.outcome or "no result yet"
    said = " ".join(str(part) for part in (one.code, one.reason) if part is not None)
    after = "" if one.at is None else f" after {max(0.0, (one.at - one.intended_at).total_seconds()):.1f} s"
    return "  ".join(part for part in (_time(one.intended_at), outcome + after, said, way) if part)


def _time(at: "datetime") -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
