"""A template's constant text as one piece, to be searched and edited without touching what is computed in it.

All constant text of a syntax tree is laid end to end, both branches of a condition too; where something is printed
stands HOLE, where a condition or loop begins, turns or ends stands SEAM. A place found there is a place in the tree.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from jinja2 import nodes

LINE_END = re.compile(r"\r\n?|\n")

HOLE = "\ufdd0"
SEAM = "\ufdd1"
"""Two of Unicode's noncharacters: no text that means anything holds them, and one that does is merely not edited."""

Pieces = Sequence[nodes.TemplateData | nodes.Name]


class Skeleton:
    """The constant text of a tree: `text`, and the means to replace ranges of it."""

    def __init__(self, tree: nodes.Template) -> None:
        self._tree = tree
        self._data: list[nodes.TemplateData] = []
        self._starts: list[int] = []
        self._edits: dict[int, list[tuple[int, int, Pieces]]] = {}
        self._head: list[Pieces] = []
        self._tail: list[Pieces] = []
        parts: list[str] = []
        length = 0
        for part in _flatten(tree.body):
            if isinstance(part, nodes.TemplateData):
                self._starts.append(length)
                self._data.append(part)
            parts.append(part.data if isinstance(part, nodes.TemplateData) else part)
            length += len(parts[-1])
        self.text = "".join(parts)

    def line(self, at: int) -> int:
        """Return the line of the source at which `text[at]` stands, nearly: white space control may shift it."""
        index = bisect_right(self._starts, at) - 1
        if index < 0:
            return 1
        node, start = self._data[index], self._starts[index]
        return int(node.lineno) + node.data.count("\n", 0, max(0, at - start))

    def replace(self, start: int, end: int, pieces: Pieces) -> None:
        """Put `pieces` where `text[start:end]` is, which holds no HOLE and no SEAM. Done by `apply`."""
        # An insertion at the very end of a piece belongs to it, not to what follows.
        index = bisect_right(self._starts, start) - 1
        if start == 0 and (not self._starts or self._starts[0] > 0):
            self._head.append(pieces)
        elif index < 0 or start > self._starts[index] + len(self._data[index].data):
            self._tail.append(pieces)
        else:
            offset = self._starts[index]
            self._edits.setdefault(index, []).append((start - offset, end - offset, pieces))

    def apply(self) -> nodes.Template:
        """Return the tree with all replacements made."""
        replaced = {id(self._data[index]): self._split(index) for index in self._edits}
        for output in self._tree.find_all(nodes.Output):
            output.nodes = [new for old in output.nodes for new in replaced.get(id(old), [old])]
        # Before the first and after the last statement there may be no constant text to insert into.
        head, tail = ([nodes.Output(list(p), lineno=1) for p in pieces] for pieces in (self._head, self._tail))
        self._tree.body = [*head, *self._tree.body, *tail]
        return self._tree

    def _split(self, index: int) -> list[nodes.Expr]:
        node = self._data[index]
        made: list[nodes.Expr] = []
        at = 0
        for start, end, pieces in sorted(self._edits[index], key=lambda edit: edit[:2]):
            made.append(nodes.TemplateData(node.data[at:start], lineno=node.lineno))
            made.extend(pieces)
            at = end
        made.append(nodes.TemplateData(node.data[at:], lineno=node.lineno))
        return made


def constant(text: str) -> nodes.TemplateData:
    """Return the node of a constant text, printed as it is but for its line ends, which become CRLF."""
    return nodes.TemplateData(LINE_END.sub("\r\n", text), lineno=1)


def hole(name: str) -> nodes.Name:
    """Return the node that prints what the render knows by `name`."""
    return nodes.Name(name, "load", lineno=1)


def prints(tree: nodes.Template, name: str) -> bool:
    """Say whether the template uses `name` anywhere."""
    return any(node.name == name for node in tree.find_all(nodes.Name))


def _flatten(body: Iterable[nodes.Node]) -> Iterator[nodes.TemplateData | str]:
    for statement in body:
        if isinstance(statement, nodes.Output):
            for part in statement.nodes:
                yield part if isinstance(part, nodes.TemplateData) else HOLE
        elif isinstance(statement, nodes.If):
            yield SEAM
            yield from _flatten(statement.body)
            for other in statement.elif_:
                yield SEAM
                yield from _flatten(other.body)
            yield SEAM
            yield from _flatten(statement.else_)
            yield SEAM
        elif isinstance(statement, nodes.For):
            yield SEAM
            yield from _flatten(statement.body)
            yield SEAM
            yield from _flatten(statement.else_)
            yield SEAM
