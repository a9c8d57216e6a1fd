"""How much a template may cost: every bound in one place, and the account that one render keeps of it.

The worst that the bounds admit together renders in well under a second and in a few MiB; a usual mail uses a
thousandth of them. They are checked when content is checked and again for each message.
"""

MAX_SOURCE = 512 * 1024
"""Characters of a template's source."""

MAX_NODES = 10_000
"""Nodes of a template's syntax tree."""

MAX_DEPTH = 40
"""Levels of a template's syntax tree: what walks or compiles it recurses."""

MAX_BLOCKS = 8
"""Conditions and loops within one another (Python itself admits twenty nested loops)."""

MAX_LOOPS = 3
"""Loops within one another."""

MAX_OUTPUT = 512 * 1024
"""Bytes of a rendered part."""

MAX_ATTACHMENTS = 10
"""Files that a mail may have."""

MAX_ATTACHED = 2 * 1024 * 1024
"""Bytes of a mail's files together: each connection at work holds a message with all of them."""

MAX_SUBJECT = 2_000
"""Bytes of a rendered subject."""

MAX_TEXT = 16 * 1024
"""Characters of any one value, given or computed."""

MAX_NUMBER = 10**15
"""Size of any number computed or written in a template."""

MAX_WORK = 50_000
"""Nodes that loops may evaluate in one render: iterations times the size of the loop's body."""

MAX_CHARACTERS = 2 * 1024 * 1024
"""Characters that filters and operators may make in one render."""


class OutOfBounds(Exception):  # noqa: N818 - named by meaning
    """A template asked for more than it may have; the text says of what."""


class Budget:
    """What one render may still spend."""

    __slots__ = ("characters", "work")

    def __init__(self) -> None:
        self.work = MAX_WORK
        self.characters = MAX_CHARACTERS

    def loop(self, iterations: int, weight: int) -> None:
        """Take a loop's cost before it starts; raise OutOfBounds if it is more than what is left."""
        self.work -= iterations * weight
        if self.work < 0:
            raise OutOfBounds("its loops run too often")

    def made(self, value: object) -> None:
        """Account for a value that a filter or operator made; raise OutOfBounds when too much was made."""
        if isinstance(value, str):
            self.characters -= len(text_within_bounds(value))
            if self.characters < 0:
                raise OutOfBounds("it computes too much text")


def text_within_bounds(text: str) -> str:
    """Return `text`; raise OutOfBounds if it is longer than any one value may be."""
    if len(text) > MAX_TEXT:
        raise OutOfBounds(f"a value has more than {MAX_TEXT} characters")
    return text
