"""The DSNs of the two databases, one a role; those of the embedded Postgres are kept in a private file."""

from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from core.errors import ConfigurationError
from deploy import private_file

FILE = "dsns.json"
_WHAT = "the embedded database's DSNs"


@dataclass(frozen=True, slots=True)
class Dsns:
    """One DSN a role. Owners migrate; the others may do what their process needs and no more."""

    main_owner: str
    main: str
    main_tracker: str
    main_pages: str
    main_inbound: str
    members_owner: str
    members: str
    members_stops: str
    members_pages: str

    def __repr__(self) -> str:
        """Hide the passwords."""
        return "Dsns(…)"


def save(dsns: Dsns, directory: Path) -> None:
    """Keep `dsns` in `directory`, mode 0600, where other commands of this user find them."""
    private_file.write(directory / FILE, orjson.dumps(asdict(dsns)))


def find(directory: Path) -> Dsns | None:
    """Return the DSNs kept in `directory`, or None if there are none; ConfigurationError if they can't be read."""
    content = private_file.read(directory / FILE, what=_WHAT)
    if content is None:
        return None
    try:
        return Dsns(**orjson.loads(content))
    except (ValueError, TypeError):
        raise ConfigurationError(f"{directory / FILE} is not readable: start `todoku up` to write it anew") from None
