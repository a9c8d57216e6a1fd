"""How the readers of rules say what is wrong: each raises InvalidInput, whoever reads a list gathers the faults."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from core.errors import Fault, InvalidInput

T = TypeVar("T")


def refusal(*faults: Fault) -> InvalidInput:
    """Return the error of a rule with these faults."""
    return InvalidInput("The rule can't be applied", faults)


def fault(pointer: str, code: str, detail: str) -> InvalidInput:
    """Return the error of a rule with one fault."""
    return refusal(Fault(pointer, code, detail))


def gather(readers: Iterable[Callable[[], T]]) -> list[T]:
    """Return what the readers return, or raise the faults of all of them at once."""
    good: list[T] = []
    errors: list[InvalidInput] = []
    for read in readers:
        try:
            good.append(read())
        except InvalidInput as error:
            errors.append(error)
    if errors:
        raise refusal(*(fault for error in errors for fault in error.faults))
    return good
