"""One line of a benchmark's table."""

from typing import TypedDict


class Figure(TypedDict):
    """A figure with what it was measured under."""

    name: str
    value: float
    unit: str
    conditions: str
