"""Looks for all that is known in all that was stolen, and says what was found, of whom, in which form, and where."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.theft.known import Known
from deploy.theft.loot import Piece, files, pieces
from deploy.theft.net import Net
from deploy.theft.spellings import spellings


@dataclass(frozen=True, slots=True, order=True)
class Leak:
    """Something known that was found. It names the line of the thief's own file, not the value."""

    where: str
    line: int
    kind: str
    how: str


@dataclass(slots=True)
class Search:
    """What a search looked for and what it found: leaks, with in how many pieces each was met."""

    values: int
    patterns: int
    too_short: int
    bytes_read: int = 0
    places: int = 0
    leaks: Counter[Leak] = field(default_factory=Counter)

    @property
    def clean(self) -> bool:
        """Whether nothing was found, though something was read."""
        return not self.leaks and self.bytes_read > 0


def search(known: Sequence[Known], stolen: Iterable[Path]) -> Search:
    """Look for everything `known` in every file of and below `stolen`; ConfigurationError for one that is not there."""
    means: dict[bytes, list[tuple[Known, str]]] = {}
    too_short = 0
    for one in known:
        forms = spellings(one.value)
        too_short += not forms
        for pattern, how in forms.items():
            means.setdefault(pattern, []).append((one, how))
    found = Search(len(known), len(means), too_short)
    net = Net(means)
    for path in files(stolen):
        found.places += 1
        for where, caught in _caught(net, pieces(path), found):
            for pattern in caught:
                found.leaks.update(Leak(where, one.line, one.kind, how) for one, how in means[pattern])
    return found


def _caught(net: Net, content: Iterable[Piece], found: Search) -> Iterable[tuple[str, set[bytes]]]:
    tail = b""
    for piece in content:
        found.bytes_read += len(piece.content)
        block = tail + piece.content
        yield piece.where, net.caught(block)
        tail = b"" if piece.ends_apart else block[-(net.longest - 1) :]
