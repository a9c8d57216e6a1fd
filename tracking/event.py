"""What comes back from a delivery: an open, a click, an unsubscribe, or that the hidden link was followed."""

from dataclasses import dataclass
from typing import Literal, get_args
from uuid import UUID

from tracking.machines.rules import Agent

Kind = Literal["open", "click", "unsubscribe", "honeypot"]

KINDS: tuple[Kind, ...] = get_args(Kind)

NO_LINK = -1
"""Stands for the kind as a whole where a link's number could stand."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a delivery (run and sequence number); `link` is a click's number, from 0; `agent` is who asked."""

    run_id: UUID
    seq: int
    kind: Kind
    agent: Agent
    link: int = NO_LINK
