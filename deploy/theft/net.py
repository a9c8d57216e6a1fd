"""Finds any of very many patterns in bytes at once. Pure.

Every pattern is entered under short windows of its first bytes, one for each way it may lie across words of a machine.
A block is then read as words, and a word that is a window of no pattern is passed over in C: thousands of patterns cost
what a few do.
"""

import sys
from collections.abc import Iterable

LEAST = 7
"""Bytes of the shortest pattern: a word of four, wherever it begins."""
_LONG, _SHORT = 8, 4


class Net:
    """Patterns of at least `LEAST` bytes; ValueError for a shorter one."""

    def __init__(self, patterns: Iterable[bytes]) -> None:
        self._windows: dict[int, dict[int, list[bytes]]] = {_LONG: {}, _SHORT: {}}
        self.longest = 0
        for pattern in set(patterns):
            if len(pattern) < LEAST:
                raise ValueError("The pattern is too short")
            self.longest = max(self.longest, len(pattern))
            width = _LONG if len(pattern) >= 2 * _LONG - 1 else _SHORT
            for place in range(width):
                window = int.from_bytes(pattern[place : place + width], sys.byteorder)
                self._windows[width].setdefault(window, []).append(pattern)
        self._words = {width: frozenset(windows) for width, windows in self._windows.items()}

    def caught(self, block: bytes) -> set[bytes]:
        """Return the patterns that stand in a block."""
        padded = memoryview(block + bytes(-len(block) % _LONG))
        read = {_LONG: padded.cast("Q"), _SHORT: padded.cast("I")}
        return {
            pattern
            for width, words in read.items()
            for word in self._words[width].intersection(words)
            for pattern in self._windows[width][word]
            if pattern in block
        }
