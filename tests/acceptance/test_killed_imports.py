"""An import whose worker is killed in mid-file goes on by itself, and ends with each row once."""

import csv
import io
import os
import signal
from typing import Any

from tests.support.command_line import todoku
from tests.support.service import Service, running_service
from tests.support.waiting import eventually

ROWS = 100_000
KILLS = 3
BAD, AGAIN = 200, 300
"""Every so-many-th row has no address, or that of a row FAR before it, which another batch took."""
FAR = 20_000
AT_ONCE = 30
"""Seconds within which the next worker goes on: fewer than a lease, which is not waited for on the same machine."""


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


async def killed_in_mid_file(service: Service, import_id: str) -> None:
    """kill -9 the importing worker, each time once more of the file has been taken."""
    done = 0
    for _ in range(KILLS):
        before = done

        async def further(before: int = before) -> int:
            done: int = (await shown(service, import_id))["progress"]["done"]
            return done if done > before else 0

        await eventually(further, within=AT_ONCE, step=0.005)
        pid = service.pid("worker-jobs-0")
        os.kill(pid, signal.SIGKILL)
        await service.replaced("worker-jobs-0", pid)
        done = (await shown(service, import_id))["progress"]["done"]
        assert done < ROWS, "the import was over before its worker was killed"


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
        await killed_in_mid_file(service, import_id)

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
