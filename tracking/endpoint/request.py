"""A request as the tracker sees it: its method, path and headers. What a body says matters to no route."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """A whole request. `path` as it was sent, without its query; header names are in lower case."""

    method: str
    path: str
    headers: list[tuple[bytes, bytes]]

    def header(self, name: bytes) -> bytes:
        """Return the first header of this name (in lower case), or nothing."""
        return next((value for key, value in self.headers if key == name), b"")
