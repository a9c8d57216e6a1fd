"""The store of attribute definitions: define, list, change, remove at run time.

A name and a type never change. A protection may change at any time: from then on values are written by the new one, and
those that are there already are brought over by re-sealing (members/resealing). Until that is done only the sealed
profiles tell the truth about the attribute, and rules do not look for it elsewhere.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from uuid import UUID

import asyncpg

from core import sql
from core.errors import Conflict, Fault, NotFound, StaleRevision
from members.attribute import (
    BUILT_IN,
    MAX_ATTRIBUTES,
    Attribute,
    AttributeType,
    Choice,
    Definitions,
    Protection,
    check_definition,
    choices_from_json,
    choices_to_json,
)
from members.connection import Connection
from members.errors import AttributeInUse, Overtaken
from members.fence import move_on

SQL = sql.load(__package__ or "", "attributes.sql")


class AttributeStore:
    """Definitions by account. `new_id` makes their ids; `resealed_after` has an account re-sealed after a block.

    Without it that is left to `todoku keys reseal`.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        new_id: Callable[[], UUID],
        resealed_after: Callable[[UUID], AbstractAsyncContextManager[None]] = lambda _: nullcontext(),
    ) -> None:
        self._pool = pool
        self._new_id = new_id
        self._resealed_after = resealed_after

    async def list(self, account_id: UUID) -> list[Attribute]:
        """Return the account's attributes in the order of their making."""
        return list((await load_definitions(self._pool, account_id)).values())

    async def get(self, account_id: UUID, attribute_id: UUID) -> Attribute:
        """Return one attribute; raise NotFound."""
        row = await self._pool.fetchrow(SQL["get"], account_id, attribute_id)
        if row is None:
            raise NotFound("No such attribute")
        return _attribute(row)

    async def define(
        self,
        account_id: UUID,
        name: str,
        type_: AttributeType,
        *,
        protection: Protection = "sealed",
        label: Mapping[str, str] | None = None,
        choices: Sequence[Choice] = (),
        required: bool = False,
        ask_at_signup: bool = False,
    ) -> Attribute:
        """Add an attribute; raise InvalidInput with every fault, or Conflict if the name is taken."""
        check_definition(name, type_, protection, label or {}, choices)
        row = await self._pool.fetchrow(
            SQL["define"],
            self._new_id(),
            account_id,
            name,
            type_,
            protection,
            dict(label or {}),
            choices_to_json(choices),
            required,
            ask_at_signup,
            MAX_ATTRIBUTES,
        )
        if row is None:
            names = {attribute.name for attribute in await self.list(account_id)}
            if name not in names and len(names) >= MAX_ATTRIBUTES:
                raise Conflict(f"An account has at most {MAX_ATTRIBUTES} attributes")
            raise Conflict(
                "The name is taken by another attribute, or by a removed one of another type or protection",
                [Fault("/name", "name-taken", "Choose another name")],
            )
        return _attribute(row)

    async def define_built_in(self, account_id: UUID) -> None:
        """Give a new account the attribute that every account has: `name`. Idempotent."""
        await self._pool.execute(SQL["define_built_in"], self._new_id(), account_id)

    async def change(
        self,
        account_id: UUID,
        attribute_id: UUID,
        revision: int,
        *,
        protection: Protection | None = None,
        label: Mapping[str, str] | None = None,
        choices: Sequence[Choice] | None = None,
        required: bool | None = None,
        ask_at_signup: bool | None = None,
    ) -> Attribute:
        """Change what is given; name and type can't be.

        Raises NotFound, StaleRevision if `revision` is not the newest, AttributeInUse if a choice that members may have
        would have to go, InvalidInput.
        """
        old = await self.get(account_id, attribute_id)
        if old.revision != revision:
            raise StaleRevision("The attribute was changed in the meantime")
        new_protection = old.protection if protection is None else protection
        new_choices = old.choices if choices is None else tuple(choices)
        check_definition(old.name, old.type, new_protection, old.label if label is None else label, new_choices)
        if old.used and {choice.value for choice in old.choices} - {choice.value for choice in new_choices}:
            raise AttributeInUse("Members have values of it: its choices can be added to, not removed")
        protected = new_protection != old.protection
        async with (
            self._resealed_after(account_id) if protected else nullcontext(),
            self._pool.acquire() as connection,
            connection.transaction(),
        ):
            generation = await move_on(connection, account_id) if protected else None
            row = await connection.fetchrow(
                SQL["change"],
                account_id,
                attribute_id,
                revision,
                dict(old.label if label is None else label),
                choices_to_json(new_choices),
                old.required if required is None else required,
                old.ask_at_signup if ask_at_signup is None else ask_at_signup,
                new_protection,
                generation,
            )
            if row is None:
                raise StaleRevision("The attribute was changed in the meantime")
        return _attribute(row)

    async def remove(self, account_id: UUID, attribute_id: UUID) -> None:
        """Remove an attribute: its values are shown no more. Raises AttributeInUse if a segment filters by it.

        The name of one that was used stays taken for other types, as the sealed values are still there.
        """
        attribute = await self.get(account_id, attribute_id)
        if attribute.name == BUILT_IN:
            raise Conflict("The attribute name belongs to every account")
        segments = await self._pool.fetch(SQL["segments_naming"], account_id, attribute.name)
        if segments:
            raise AttributeInUse(f"Segments filter by it: {', '.join(row['name'] for row in segments)}")
        if await self._pool.fetchrow(SQL["remove_unused"], account_id, attribute_id) is None:
            await self._pool.execute(SQL["remove_used"], account_id, attribute_id)


async def load_definitions(connection: Connection, account_id: UUID) -> dict[str, Attribute]:
    """Return the account's definitions by name."""
    rows = await connection.fetch(SQL["list"], account_id)
    return {row["name"]: _attribute(row) for row in rows}


async def mark_used(connection: Connection, account_id: UUID, definitions: Definitions, names: Iterable[str]) -> None:
    """Note, in the caller's transaction, that values of these attributes are being written.

    The caller holds the keys, so that no protection can have changed since `definitions` were read (members/fence.py).
    Raises Overtaken if an attribute was removed since.
    """
    fresh = [definitions[name] for name in names if not definitions[name].used]
    if not fresh:
        return
    ids = [attribute.attribute_id for attribute in fresh]
    marked = await connection.fetch(SQL["mark_used"], account_id, ids)
    if len(marked) != len(fresh):
        raise Overtaken("An attribute was removed in the meantime")


def _attribute(row: asyncpg.Record) -> Attribute:
    return Attribute(
        attribute_id=row["attribute_id"],
        name=row["name"],
        type=row["type"],
        protection=row["protection"],
        label=row["label"],
        choices=choices_from_json(row["choices"]),
        required=row["required"],
        ask_at_signup=row["ask_at_signup"],
        used=row["used"],
        resealing=row["resealing"],
        revision=row["revision"],
    )
