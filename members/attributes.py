"""The store of attribute definitions: define, list, change, remove at run time.

A type never changes, nor does the key under which values are stored: a new name touches no member, and the former ones
go on working wherever they were written. A protection may change at any time: from then on values are written by the
new one, and those that are there already are brought over by re-sealing (members/resealing). Until that is done only
the sealed profiles tell the truth about the attribute, and rules do not look for it elsewhere. A removal goes the same
way: it begins a generation, and what members of earlier ones have left of the attribute is cleared.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from uuid import UUID

import asyncpg
import orjson

from core import sql
from core.errors import Conflict, Fault, InvalidInput, NotFound, StaleRevision
from members.attribute import (
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
from members.built_in import BUILT_INS
from members.connection import Connection
from members.errors import AttributeInUse, Overtaken, WrongValue
from members.fence import move_on
from members.profile import Value
from members.values import from_json

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

    async def names(self, account_id: UUID) -> Mapping[str, str]:
        """Return every name that templates may use, former ones too, with the key of its values."""
        return (await load_definitions(self._pool, account_id)).names

    async def get(self, account_id: UUID, attribute_id: UUID) -> Attribute:
        """Return one attribute; raise NotFound."""
        row = await self._pool.fetchrow(SQL["list"], account_id, attribute_id)
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
        member_editable: bool = False,
        default: object = None,
    ) -> Attribute:
        """Add an attribute; raise InvalidInput with every fault, or Conflict if another has or had the name.

        `default` is a JSON value of the type: what a new member has who brings none.
        """
        check_definition(name, type_, protection, label or {}, choices)
        attribute_id = self._new_id()
        draft = Attribute(
            attribute_id,
            key=name,
            name=name,
            type=type_,
            protection=protection,
            label=dict(label or {}),
            choices=tuple(choices),
            required=required,
            ask_at_signup=ask_at_signup,
            member_editable=member_editable,
            used=False,
            revision=1,
        )
        made = await self._pool.fetchval(
            SQL["define"],
            attribute_id,
            account_id,
            name,
            type_,
            protection,
            draft.label,
            choices_to_json(choices),
            required,
            ask_at_signup,
            _default(draft, default),
            MAX_ATTRIBUTES,
            member_editable,
        )
        if made is None:
            known = await load_definitions(self._pool, account_id)
            if known.named(name) is None and len(known) >= MAX_ATTRIBUTES:
                raise Conflict(f"An account has at most {MAX_ATTRIBUTES} attributes")
            raise _name_taken()
        return await self.get(account_id, made)

    async def define_built_in(self, account_id: UUID) -> None:
        """Give a new account the attributes that every account has. Idempotent."""
        await self._pool.execute(
            SQL["define_built_in"],
            account_id,
            [self._new_id() for _ in BUILT_INS],
            [one.key for one in BUILT_INS],
            [one.type for one in BUILT_INS],
            [one.protection for one in BUILT_INS],
            [orjson.dumps(one.label).decode() for one in BUILT_INS],
        )

    async def change(
        self,
        account_id: UUID,
        attribute_id: UUID,
        revision: int,
        *,
        name: str | None = None,
        protection: Protection | None = None,
        label: Mapping[str, str] | None = None,
        choices: Sequence[Choice] | None = None,
        required: bool | None = None,
        ask_at_signup: bool | None = None,
        member_editable: bool | None = None,
        default: object = ...,
    ) -> Attribute:
        """Change what is given; the type can't be. A `default` of None removes it, `...` keeps it.

        Raises NotFound, StaleRevision if `revision` is not the newest, AttributeInUse if a choice that members may have
        would have to go, Conflict if another attribute has or had the name, InvalidInput.
        """
        old = await self.get(account_id, attribute_id)
        if old.revision != revision:
            raise StaleRevision("The attribute was changed in the meantime")
        new = replace(
            old,
            name=old.name if name is None else name,
            protection=old.protection if protection is None else protection,
            label=old.label if label is None else dict(label),
            choices=old.choices if choices is None else tuple(choices),
            required=old.required if required is None else required,
            ask_at_signup=old.ask_at_signup if ask_at_signup is None else ask_at_signup,
            member_editable=old.member_editable if member_editable is None else member_editable,
        )
        check_definition(new.name, new.type, new.protection, new.label, new.choices)
        new_default = _default(new, old.default if default is ... else default)
        if old.built_in and new.name != old.name:
            raise Conflict("An attribute that every account has keeps its name; label it instead")
        if old.used and {choice.value for choice in old.choices} - {choice.value for choice in new.choices}:
            raise AttributeInUse("Members have values of it: its choices can be added to, not removed")
        protected = new.protection != old.protection
        async with (
            self._resealed_after(account_id) if protected else nullcontext(),
            self._pool.acquire() as connection,
            connection.transaction(),
        ):
            if new.name != old.name:
                owner = await connection.fetchval(SQL["take_name"], account_id, attribute_id, new.name)
                if owner != attribute_id:
                    raise _name_taken()
            generation = await move_on(connection, account_id) if protected else None
            changed = await connection.fetchval(
                SQL["change"],
                account_id,
                attribute_id,
                revision,
                new.name,
                new.label,
                choices_to_json(new.choices),
                new.required,
                new.ask_at_signup,
                new_default,
                new.protection,
                generation,
                new.member_editable,
            )
            if changed is None:
                raise StaleRevision("The attribute was changed in the meantime")
        return await self.get(account_id, attribute_id)

    async def remove(self, account_id: UUID, attribute_id: UUID) -> None:
        """Remove an attribute: its values are shown no more. Raises AttributeInUse if a segment filters by it.

        Where members have values of it, re-sealing clears them in the background, the sealed ones too; its names stay
        taken until that is done.
        """
        attribute = await self.get(account_id, attribute_id)
        if attribute.built_in:
            raise Conflict("It belongs to every account")
        said = [attribute.name, *attribute.former_names]
        segments = await self._pool.fetch(SQL["segments_naming"], account_id, said)
        if segments:
            raise AttributeInUse(f"Segments filter by it: {', '.join(row['name'] for row in segments)}")
        if await self._pool.fetchrow(SQL["remove_unused"], account_id, attribute_id) is not None:
            return
        async with (
            self._resealed_after(account_id),
            self._pool.acquire() as connection,
            connection.transaction(),
        ):
            generation = await move_on(connection, account_id)
            await connection.execute(SQL["remove_used"], account_id, attribute_id, generation)


async def load_definitions(connection: Connection, account_id: UUID) -> Definitions:
    """Return the account's definitions."""
    return Definitions(_attribute(row) for row in await connection.fetch(SQL["list"], account_id, None))


async def mark_used(connection: Connection, account_id: UUID, definitions: Definitions, keys: Iterable[str]) -> None:
    """Note, in the caller's transaction, that values of the attributes of these keys are being written.

    The caller holds the keys, so that no protection can have changed since `definitions` were read (members/fence.py).
    Raises Overtaken if an attribute was removed since.
    """
    fresh = [definitions[key] for key in keys if not definitions[key].used]
    if not fresh:
        return
    ids = [attribute.attribute_id for attribute in fresh]
    marked = await connection.fetch(SQL["mark_used"], account_id, ids)
    if len(marked) != len(fresh):
        raise Overtaken("An attribute was removed in the meantime")


def _default(attribute: Attribute, default: object) -> Value | None:
    if default is None:
        return None
    try:
        return from_json(attribute, default)
    except WrongValue as error:
        fault = Fault("/default", error.code, error.detail)
        raise InvalidInput("The default does not fit the attribute", [fault]) from None


def _name_taken() -> Conflict:
    return Conflict(
        "Another attribute has or had the name, or members still have values of a removed one",
        [Fault("/name", "name-taken", "Choose another name")],
    )


def _attribute(row: asyncpg.Record) -> Attribute:
    return Attribute(
        attribute_id=row["attribute_id"],
        key=row["key"],
        name=row["name"],
        type=row["type"],
        protection=row["protection"],
        label=row["label"],
        choices=choices_from_json(row["choices"]),
        required=row["required"],
        ask_at_signup=row["ask_at_signup"],
        member_editable=row["member_editable"],
        used=row["used"],
        resealing=row["resealing"],
        revision=row["revision"],
        former_names=tuple(row["former_names"]),
        default=row["default_value"],
        built_in=row["built_in"],
    )
