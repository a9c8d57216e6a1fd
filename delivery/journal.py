"""A worker's journal: what was begun and how it ended, in a file that outlives kill -9 of its writer.

One file an incarnation, named after its owner and flocked as long as the process lives: a lock that can be had means
a dead owner. `start` is on file before the first byte of a body leaves, so after a crash of the process a message
without a start was never sent. Nothing is fsynced: what the kernel has taken in survives the process, and after a
crash of the machine the boot id differs, the content is not `trusted`, and an absent start proves nothing.

Records have a fixed size and a checksum; a torn one ends no reading. The file is bounded: once it is over its limit,
`settle` leaves only what is not settled, by a new file put in its place in one rename. The directory must be on a
local disk. A process killed between creating a file and naming it leaves a hidden one of a few octets, never read.
"""

import fcntl
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self, TypeAlias
from uuid import UUID

from core import locked_file
from delivery.replies.verdict import Outcome, Reason, Verdict

FORMAT = 1
SUFFIX = ".journal"
LIMIT = 16 * 1024 * 1024

Key: TypeAlias = tuple[UUID, int, int]
"""run id, seq, try"""

_HEADER = struct.Struct("<8sH16s36sI")
_MAGIC = b"todoku\x00J"
# kind, suppress, code, try, seq, run id, reason; then the checksum.
_RECORD = struct.Struct("<c?HHQ16s20s")
_CHECKSUM = struct.Struct("<I")
_SIZE = _RECORD.size + _CHECKSUM.size
_START = b"s"
_KINDS: dict[Outcome, bytes] = {"accepted": b"a", "deferred": b"d", "failed": b"f", "uncertain": b"u", "released": b"r"}
_OUTCOMES: dict[bytes, Outcome] = {kind: outcome for outcome, kind in _KINDS.items()}


class Noted(NamedTuple):
    """An outcome as it was written down; `code` is the reply's, if one came."""

    outcome: Outcome
    reason: Reason
    code: int | None
    suppress: bool


@dataclass(frozen=True, slots=True)
class JournalContent:
    """All that a journal says. `trusted`: a key without a start was certainly never begun."""

    owner: UUID
    boot_id: str
    trusted: bool
    started: set[Key] = field(default_factory=set)
    outcomes: dict[Key, Noted] = field(default_factory=dict)


class Journal:
    """The writer's side. Each note is one write; an OSError from it means that nothing was noted."""

    def __init__(self, path: Path, descriptor: int, header: bytes, limit: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._header = header
        self._limit = limit
        self._unsettled: dict[Key, bytes] = {}
        self.size = len(header)

    @classmethod
    def create(cls, directory: Path, *, owner: UUID, boot_id: str, limit: int = LIMIT) -> Self:
        """Make the owner's file (0600) and its directory; `boot_id`: /proc/sys/kernel/random/boot_id, 36 characters."""
        header = _HEADER.pack(_MAGIC, FORMAT, owner.bytes, boot_id.encode("ascii"), 0)
        header = header[: -_CHECKSUM.size] + _CHECKSUM.pack(zlib.crc32(header[: -_CHECKSUM.size]))
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = directory / f"{owner}{SUFFIX}"
        return cls(path, locked_file.put(path, header), header, limit)

    def start(self, run_id: UUID, seq: int, try_: int) -> None:
        """Note that the body's first byte is about to be written."""
        self._append((run_id, seq, try_), _record(_START, run_id, seq, try_))

    def outcome(self, run_id: UUID, seq: int, try_: int, verdict: Verdict, code: int | None = None) -> None:
        """Note how it ended."""
        kind = _KINDS[verdict.outcome]
        record = _record(kind, run_id, seq, try_, suppress=verdict.suppress, code=code or 0, reason=verdict.reason)
        self._append((run_id, seq, try_), record)

    def _append(self, key: Key, record: bytes) -> None:
        if os.write(self._descriptor, record) != len(record):
            # A full disk took a part: with it gone, records stay aligned.
            os.ftruncate(self._descriptor, self.size)
            raise OSError("the journal's disk is full")
        self.size += len(record)
        earlier = self._unsettled.get(key)
        self._unsettled[key] = record if earlier is None else earlier + record

    def settle(self, keys: Iterable[Key]) -> None:
        """Forget keys whose results are committed; a file over its limit is written anew without them."""
        for key in keys:
            self._unsettled.pop(key, None)
        if self.size > self._limit:
            self._compact()

    def _compact(self) -> None:
        content = b"".join([self._header, *self._unsettled.values()])
        replaced, self._descriptor = self._descriptor, locked_file.put(self._path, content)
        self.size = len(content)
        # Twice what has to stay, or a journal full of unsettled keys would be written anew at each call.
        self._limit = max(self._limit, 2 * self.size)
        os.close(replaced)

    def close(self, *, remove: bool) -> None:
        """Let go of the lock; `remove` only when everything in it is committed."""
        if remove:
            self._path.unlink()
        os.close(self._descriptor)


class Abandoned:
    """A dead owner's journal, locked by us until the `with` block ends."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._descriptor)

    def read(self, boot_id: str) -> JournalContent | None:
        """Read it, as the module's `read` does."""
        return read(self.path, boot_id)

    def remove(self) -> None:
        """Delete the file, once what it says is committed."""
        self.path.unlink()


def abandoned(directory: Path) -> Iterator[Abandoned]:
    """Yield every journal in `directory` whose owner is dead, locked: use each as a context manager."""
    for path in sorted(directory.glob(f"*{SUFFIX}")):
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue
        if _locked(descriptor) and _still_at(path, descriptor):
            yield Abandoned(path, descriptor)
        else:
            os.close(descriptor)


def read(path: Path, boot_id: str) -> JournalContent | None:
    """Read a journal, judged by the machine's present `boot_id`; None where not even the header can be relied on.

    A torn last record is what a crash leaves behind. Damage anywhere else costs the trust, not the other records.
    """
    raw = path.read_bytes()
    if len(raw) < _HEADER.size:
        return None
    magic, version, owner, written_boot_id, checksum = _HEADER.unpack_from(raw)
    if magic != _MAGIC or version != FORMAT or checksum != zlib.crc32(raw[: _HEADER.size - _CHECKSUM.size]):
        return None
    started: set[Key] = set()
    outcomes: dict[Key, Noted] = {}
    sound = True
    for at in range(_HEADER.size, len(raw) - _SIZE + 1, _SIZE):
        record = raw[at : at + _RECORD.size]
        (noted_checksum,) = _CHECKSUM.unpack_from(raw, at + _RECORD.size)
        if noted_checksum != zlib.crc32(record):
            sound = sound and at + 2 * _SIZE > len(raw)
            continue
        kind, suppress, code, try_, seq, run_id, reason = _RECORD.unpack(record)
        key = (UUID(bytes=run_id), seq, try_)
        if kind == _START:
            started.add(key)
        else:
            why = Reason(reason.rstrip(b"\0").decode("ascii"))
            outcomes[key] = Noted(_OUTCOMES[kind], why, code or None, suppress)
    boot = written_boot_id.decode("ascii")
    return JournalContent(UUID(bytes=owner), boot, sound and boot == boot_id, started, outcomes)


def _record(
    kind: bytes, run_id: UUID, seq: int, try_: int, *, suppress: bool = False, code: int = 0, reason: str = ""
) -> bytes:
    record = _RECORD.pack(kind, suppress, code, try_, seq, run_id.bytes, reason.encode())
    return record + _CHECKSUM.pack(zlib.crc32(record))


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _still_at(path: Path, descriptor: int) -> bool:
    """Whether the file that was locked is the one of that name: it may have been removed or replaced in between."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
