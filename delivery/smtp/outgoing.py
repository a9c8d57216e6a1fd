"""One message as it is given to a connection: what to send, and whom to tell what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from delivery.envelope import Envelope
from delivery.replies.reply import Reply
from delivery.smtp.errors import NotStarted, OutcomeUnknown

Outcome: TypeAlias = Reply | NotStarted | OutcomeUnknown
"""The reply that decided (the first refusal, or the one to the final dot), or how it ended without one."""


@dataclass(slots=True)
class Outgoing:
    """A message and its two moments.

    `on_start` is called right before the body's first byte is written, and not at all where the envelope was refused.
    `done` is called exactly once, as soon as the outcome is known, which may be in a later `send` or `flush`.
    What either raises comes out of the `send` or `flush` under way (or the next call), with the connection gone: after
    `on_start` nothing of that body was written and its `done` is not called.
    """

    envelope: Envelope
    on_start: Callable[[], None]
    done: Callable[[Outcome], None]
