"""What the ciphertexts in a dump tell without being opened: which are equal, how often, and how long they are. Pure.

This is the leakage that stays, by design; docs/security.md says what it comes to.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from deploy.theft.tables import Row, binary

_MEMBER = "public.member"


@dataclass(slots=True)
class Resemblance:
    """Counts over all members of a dump.

    `lengths`: sealed profiles by bytes. `tags`: members by their domain's tag. `values`: how often each token of each
    matchable attribute stands there, by attribute.
    """

    members: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    tags: Counter[bytes] = field(default_factory=Counter)
    values: dict[str, Counter[str]] = field(default_factory=dict)
    repeated_ciphertexts: int = 0

    def lines(self) -> list[tuple[str, str]]:
        """Return what it comes to, for people: (what is seen, how much of it)."""
        if not self.members:
            return []
        shown = [
            ("members", f"{self.members:,}"),
            (
                "lengths of sealed profiles",
                f"{min(self.lengths)} to {max(self.lengths)} bytes, {len(self.lengths)} different",
            ),
            ("domains told apart, without their names", _spread(self.tags)),
            ("sealed profiles or keys that stand twice", f"{self.repeated_ciphertexts:,}"),
        ]
        for name, counts in sorted(self.values.items()):
            shown.append((f"values of {name} told apart, without the values", _spread(counts)))
        return shown


def resemblance(rows: Iterable[Row]) -> Resemblance:
    """Count over a dump's rows."""
    found = Resemblance()
    seen: set[int] = set()
    for row in rows:
        for column in ("sealed", "wrapped"):
            content = binary(row.columns.get(column, b""))
            if content:
                # A hash of it would do for any size; 64 bits of Python's own are enough to tell a few million apart.
                found.repeated_ciphertexts += hash(content) in seen
                seen.add(hash(content))
        if row.table == _MEMBER:
            _count(row.columns, found)
    return found


def _count(columns: Mapping[str, bytes], found: Resemblance) -> None:
    found.members += 1
    found.lengths[len(binary(columns["sealed"]) or b"")] += 1
    found.tags[columns["tag"]] += 1
    facets: Mapping[str, Any] = orjson.loads(columns["facets"].replace(b"\\\\", b"\\"))
    for name, tokens in facets.get("match", {}).items():
        found.values.setdefault(name, Counter()).update(tokens if isinstance(tokens, list) else [tokens])


def _spread(counts: Counter[Any]) -> str:
    return f"{len(counts):,}, the most frequent {max(counts.values(), default=0):,} times"
