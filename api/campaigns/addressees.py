"""Who gets a test send: members named by id or by address, as one list."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from uuid import UUID

from core.errors import Fault, InvalidInput
from members.errors import BadAddress
from members.vault import Vault

_MEMBERS = "/members/"


async def resolve(vault: Vault, account_id: UUID, members: Sequence[UUID], addresses: Sequence[str]) -> list[UUID]:
    """Return `members`, then those whose addresses are given; raise InvalidInput that points at each unknown one."""
    found = list(members)
    faults = []
    for index, address in enumerate(addresses):
        try:
            member_id = await vault.find(account_id, address)
        except BadAddress as error:
            faults.append(Fault(f"/addresses/{index}", error.code, error.detail))
            continue
        if member_id is None:
            faults.append(Fault(f"/addresses/{index}", "unknown", "No member has this address"))
        else:
            found.append(member_id)
    if faults:
        raise InvalidInput("The test can't be sent to all of these", faults)
    return found


@contextmanager
def pointing(members: int) -> Iterator[None]:
    """Have faults of the joined list point into the list that each came from: `members` came by id, then addresses."""
    try:
        yield
    except InvalidInput as error:
        error.faults = tuple(_moved(fault, members) for fault in error.faults)
        raise


def _moved(fault: Fault, members: int) -> Fault:
    index = fault.pointer.removeprefix(_MEMBERS)
    if not index.isdigit() or int(index) < members:
        return fault
    return replace(fault, pointer=f"/addresses/{int(index) - members}")
