"""How long each phase of a session takes, told to whoever watches."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

Phase: TypeAlias = Literal["connect", "hello", "envelope", "message"]
"""Until the greeting; EHLO, TLS and authentication; from MAIL to the 354; from the body's first byte to its reply."""

PHASES: tuple[Phase, ...] = get_args(Phase)

Phases: TypeAlias = Mapping[Phase, Callable[[float], None]]
"""For each phase what takes its seconds."""


def _nobody(_seconds: float) -> None:
    """Take no notice."""


UNTIMED: Phases = MappingProxyType(dict.fromkeys(PHASES, _nobody))
