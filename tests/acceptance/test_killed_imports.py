"""An import whose worker is killed in mid-file goes on by itself, and ends with each row once."""

import csv
import io
from typing import Any

from tests.support.command_line import todoku
from tests.support.killed_jobs import AT_ONCE, killed_in_mid_job
from tests.support.service import Service, running_service
from tests.support.waiting import eventually

ROWS = 100_000
BAD, AGAIN = 200, 300
"""Every so-many-th row has no address, or that of a row FAR before it, which another batch took."""
FAR = 20_000


def address_of(number: int) -> str:
    if number % BAD == BAD - 1:
        return f"nobody {number}"
    if number % AGAIN == AGAIN - 1 and number >= FAR:
        return f"MEMBER{number - FAR}@example.jp"
    return f"member{number}@example.jp"


def split(addresses: list[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Who is to become a member, and each other row as the reject file has it: line and address."""
    taken: dict[str, None] = {}
    rejected = []
    for line, address in enumerate(addresses, 2):
        if " " in address or address.lower() in taken:
            rejected.append((str(line), address))
        else:
            taken[address.lower()] = None
    return [*taken], rejected


async def shown(service: Service, import_id: str) -> dict[str, Any]:
    told: dict[str, Any] = await service.get(f"/v1/imports/{import_id}")
    assert told["state"] != "failed", told
    return told


async def test_killing_the_importing_worker_loses_no_row_and_takes_none_twice() -> None:
    addresses = [address_of(number) for number in range(ROWS)]
    taken, rejected = split(addresses)
    lines = ["email,name", *(f"{address},山田 {number}" for number, address in enumerate(addresses))]
    async with running_service() as service:
        answer = await service.client.post(
            "/v1/imports",
            files={"file": ("members.csv", "\r\n".join(lines).encode())},
            data={"consent_source": "a form"},
        )
        import_id = answer.json()["id"]

        async def rows_done() -> int:
            done: int = (await shown(service, import_id))["progress"]["done"]
            return done

        await killed_in_mid_job(service, rows_done, ROWS)

        async def finished() -> dict[str, Any] | None:
            told = await shown(service, import_id)
            return told if told["state"] == "finished" else None

        told = await eventually(finished, within=AT_ONCE)
        assert told is not None
        assert [told[what] for what in ("created", "updated", "unchanged", "rejected")] == [
            *(len(taken), 0, 0),
            len(rejected),
        ]
        file = (await service.client.get(f"/v1/imports/{import_id}/rejects")).text.removeprefix("\ufeff")
        assert [(row["line"], row["email"]) for row in csv.DictReader(io.StringIO(file))] == rejected
        for words, said in (
            (("verify", "--members"), f"{len(taken):,} members: all open in place"),
            (("verify", "--consent"), f"{len(taken):,} records, 0 of them expired"),
        ):
            done = todoku(*words, data_dir=service.directory, metrics_port=0)
            assert (done.returncode, said in done.stdout) == (0, True), done
        # Whoever stands twice is who they were in their first line.
        first = next(number for number in range(FAR, ROWS) if addresses[number].startswith("MEMBER")) - FAR
        found = await service.post("/v1/members/search", {"email": f"member{first}@example.jp"})
        assert [one["attributes"]["name"] for one in found["items"]] == [f"山田 {first}"]
