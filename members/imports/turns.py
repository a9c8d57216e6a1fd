"""How an import shares the event loop: work on the processor goes in slices, and between two of them answers are taken.

What Postgres answers is read in one turn of the loop and replied to in the next. Whoever gives way for one turn only
has it wait for a whole slice more, and a batch takes a dozen answers: of two writers one was always waiting.
"""

import asyncio

SLICE = 250
"""Rows of a slice, where each takes some microseconds: a millisecond or two."""
SLICE_OF_KNOWN = 128
"""… where members are opened among them."""


async def give_way() -> None:
    """Let the answers that have come be read, and what comes next be sent."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
