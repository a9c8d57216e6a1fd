"""`todoku verify --consent`: recomputes the consent ledger's chains and says which link is not as it was written."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from core.settings import load

if TYPE_CHECKING:
    from members.consents.verify import Checked, Head


def verify_consent(expect: Sequence[str], *, json: bool) -> bool:
    """Check every account's chain, tell what was found, and return whether all of it holds.

    `expect`: heads noted earlier, as `acc_…=no:hash`. Raises InvalidInput for one that can't be read.
    """
    return asyncio.run(_verify(_heads(expect), json=json))


async def _verify(expected: "Mapping[UUID, Head]", *, json: bool) -> bool:
    import orjson  # noqa: PLC0415 - the command line starts without them

    from deploy import databases  # noqa: PLC0415
    from deploy.commands.output import note, show  # noqa: PLC0415
    from members.consents.verify import verify  # noqa: PLC0415

    whole = True
    async with databases.reached(load(), "members", process="verify") as vault:
        async for checked in verify(vault, expected, lambda records: note(f"{records:,} records read")):
            whole &= not checked.broken
            if json:
                show(orjson.dumps(_shown(checked)).decode())
                continue
            shown = _shown(checked)
            show(
                f"{shown['account']}={shown['head']}  {checked.records:,} records, {checked.expired:,} of them expired"
            )
            for breach in checked.breaches:
                show(f"  broken: {'no link' if breach.no is None else f'link {breach.no}'}: {breach.what}")
            if checked.broken > len(checked.breaches):
                show(f"  … {checked.broken:,} in all")
    if json:
        show(orjson.dumps({"ok": whole}).decode())
    else:
        show("The ledger is as it was written." if whole else "The ledger was altered.")
    return whole


def _shown(checked: "Checked") -> dict[str, Any]:
    from core import ids  # noqa: PLC0415 - as above

    return {
        "account": ids.encode("acc", checked.account_id),
        "head": str(checked.head),
        "records": checked.records,
        "expired": checked.expired,
        "broken": checked.broken,
        "breaches": [breach._asdict() for breach in checked.breaches],
    }


def _heads(expect: Sequence[str]) -> "dict[UUID, Head]":
    from core.errors import Fault, InvalidInput, NotFound  # noqa: PLC0415 - as above

    heads, faults = {}, []
    for number, text in enumerate(expect):
        try:
            account_id, head = _head(text)
            heads[account_id] = head
        except NotFound:
            faults.append(Fault(f"/expect/{number}", "bad-head", "A head as it was printed: acc_…=number:hash"))
    if faults:
        raise InvalidInput("What is expected can't be read", faults)
    return heads


def _head(text: str) -> "tuple[UUID, Head]":
    from core import ids  # noqa: PLC0415 - as above
    from core.errors import NotFound  # noqa: PLC0415
    from members.consents.verify import Head  # noqa: PLC0415

    found = re.fullmatch(r"(acc_\w+)=([1-9]\d{0,17}):([0-9a-f]{64})", text, re.ASCII)
    if found is None:
        raise NotFound("Not a head")
    return ids.decode("acc", found[1]), Head(int(found[2]), bytes.fromhex(found[3]))
