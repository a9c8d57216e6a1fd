"""Events on disk while Postgres is away: appended and synced before they are answered, read back to be stored.

A directory that outlives its process, shared by all trackers of a machine. Each writes a file of its own, which it
holds locked (flock); a file that nobody holds, because its writer has gone on to another or has died, is anybody's to
take over.

    file = frame…     frame = length (4 bytes, big-endian) + BLAKE2b of the payload (16 bytes) + payload (JSON)

Failure model. A frame that was answered for is whole on disk: its bytes and, once a file, its name are synced first.
What a crash tore is the last frame of a file, which nobody was answered for: it is cut off. A broken frame with more
behind it is damage to the disk; the file is set aside under `.damaged` for a person to look at, once all before it is
stored. A full disk, or files of more bytes than allowed, raise `Unavailable`; nothing of the frame stays then.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from uuid import UUID

import orjson

from core import locked_file, logs
from core.errors import Unavailable
from tracking.batches import Batch
from tracking.event import Event
from tracking.machines.rules import Rules

log = logs.get()

FILE_BYTES = 4_000_000
"""From so many on a file is closed and a new one begun: what is stored already is removed by the file."""

_SUFFIX, _DAMAGED = ".spool", ".damaged"
_LENGTH, _DIGEST = 4, 16


@dataclass(frozen=True, slots=True)
class Extent:
    """How much waits in a spool: bytes, files, damaged ones, and since when the oldest does (seconds since 1970)."""

    bytes: int
    files: int
    damaged: int
    since: float | None


EMPTY = Extent(0, 0, 0, None)


class Spool:
    """The spool of one process in `directory`, which holds at most `most_bytes` of all processes. Not thread-safe."""

    def __init__(self, directory: Path, *, most_bytes: int, new_id: Callable[[], UUID]) -> None:
        self.directory = directory
        self._most_bytes = most_bytes
        self._new_id = new_id
        self._file: int | None = None
        self._size = 0

    def append(self, batch: Batch) -> None:
        """Return once `batch` is on disk; raise Unavailable, having kept nothing of it, if it can't be."""
        frame = _framed(_written(batch))
        try:
            if measure(self.directory).bytes + len(frame) > self._most_bytes:
                raise Unavailable("The spool is full")
            file = self._file if self._file is not None else self._begin()
            try:
                _write_all(file, frame)
                os.fdatasync(file)
            except OSError:
                # Whether the bytes are there is not known: the next frame must not follow half of this one.
                with suppress(OSError):
                    os.ftruncate(file, self._size)
                self.close()
                raise
        except OSError as error:
            log.exception("spool_failed", error=type(error).__name__)
            raise Unavailable("The spool can't be written") from error
        self._size += len(frame)
        if self._size >= FILE_BYTES:
            self.close()

    def close(self) -> bool:
        """Let go of the file, so that it can be taken over; False if there was none."""
        if self._file is None:
            return False
        os.close(self._file)
        self._file, self._size = None, 0
        return True

    def _begin(self) -> int:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.directory / f"{self._new_id().hex}{_SUFFIX}"
        # Locked before it is seen: else who stores what others left could take it over, and remove it, as it begins.
        file = locked_file.put(path)
        try:
            _sync_directory(self.directory)
        except OSError:
            os.close(file)
            raise
        self._file = file
        return file


class Adopted:
    """A file of the spool that this process has taken over, and the batches that are whole in it."""

    def __init__(self, path: Path, rules: Rules) -> None:
        self._path = path
        self._rules = rules
        self._damaged = False

    def batches(self) -> Iterator[Batch]:
        """Give out the batches in the order of their writing."""
        found = _whole(self._path.read_bytes())
        for payload in found.payloads:
            yield _read(payload, self._rules)
        if found.cut:
            self._damaged = found.damaged
            log.warning("spool_cut", bytes=found.cut, damaged=self._damaged)

    def set_aside(self) -> None:
        """Have `remove` keep it for a person to look at."""
        self._damaged = True

    def remove(self) -> None:
        """Remove the file, whose batches are stored."""
        if self._damaged:
            self._path.rename(self._path.with_suffix(_DAMAGED))
        else:
            self._path.unlink()
        _sync_directory(self._path.parent)


@contextmanager
def adopt(directory: Path, rules: Rules) -> Iterator[Adopted | None]:
    """Take over the oldest file that nobody holds, for as long as the context lasts; None if there is none."""
    for path in _files(directory):
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another may have taken it over and removed it between our two calls.
            if os.fstat(file).st_nlink:
                yield Adopted(path, rules)
                return
        except BlockingIOError:
            continue
        finally:
            os.close(file)
    yield None


def measure(directory: Path) -> Extent:
    """Return how much waits in `directory`, of all processes; files come and go meanwhile."""
    size = files = damaged = 0
    since: float | None = None
    with suppress(FileNotFoundError):
        for entry in os.scandir(directory):
            with suppress(FileNotFoundError):
                if entry.name.endswith(_SUFFIX):
                    found = entry.stat()
                    size, files = size + found.st_size, files + 1
                    began = _began(entry.name)
                    since = began if since is None else min(since, began)
                elif entry.name.endswith(_DAMAGED):
                    size, damaged = size + entry.stat().st_size, damaged + 1
    return Extent(size, files, damaged, since)


def waiting(directory: Path) -> int:
    """Return how many events wait in `directory`: read only, so that whoever holds the files goes on."""
    events = 0
    for path in _files(directory):
        with suppress(FileNotFoundError):
            payloads = _whole(path.read_bytes()).payloads
            events += sum(len(orjson.loads(payload)["events"]) for payload in payloads)
    return events


@dataclass(frozen=True, slots=True)
class _Found:
    """The payloads that are whole, how many bytes behind them are not, and whether that is more than a torn end."""

    payloads: tuple[bytes, ...]
    cut: int
    damaged: bool


def _whole(content: bytes) -> _Found:
    payloads: list[bytes] = []
    at = 0
    while at < len(content):
        start = at + _LENGTH + _DIGEST
        end = start + int.from_bytes(content[at : at + _LENGTH], "big")
        payload = content[start:end]
        if end > len(content) or _digest(payload) != content[at + _LENGTH : start]:
            return _Found(tuple(payloads), len(content) - at, end < len(content))
        payloads.append(payload)
        at = end
    return _Found(tuple(payloads), 0, damaged=False)


def _files(directory: Path) -> list[Path]:
    """Return the files in the order of their beginnings, which their names have."""
    return sorted(directory.glob(f"*{_SUFFIX}"))


def _began(name: str) -> float:
    # A name is a UUIDv7 (RFC 9562 section 5.7): its first 48 bits are milliseconds since 1970.
    return int(name[:12], 16) / 1000


def _framed(payload: bytes) -> bytes:
    return len(payload).to_bytes(_LENGTH, "big") + _digest(payload) + payload


def _digest(payload: bytes) -> bytes:
    return blake2b(payload, digest_size=_DIGEST).digest()


def _written(batch: Batch) -> bytes:
    """Return a batch as JSON; agents by number, since a few ask for nearly everything."""
    agents = {event.agent.text: 0 for event in batch.events}
    agents = {text: number for number, text in enumerate(agents)}
    rows = [
        [event.run_id.hex, event.seq, event.kind, event.link, round(at, 6), agents[event.agent.text]]
        for event, at in zip(batch.events, batch.happened, strict=True)
    ]
    return orjson.dumps({"batch": batch.batch_id.hex, "agents": list(agents), "events": rows})


def _read(payload: bytes, rules: Rules) -> Batch:
    document = orjson.loads(payload)
    agents = [rules.agent(text.encode("latin-1")) for text in document["agents"]]
    events = [
        Event(UUID(hex=run), seq, kind, agents[agent], link) for run, seq, kind, link, _, agent in document["events"]
    ]
    return Batch(UUID(hex=document["batch"]), events, [row[4] for row in document["events"]])


def _write_all(file: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
