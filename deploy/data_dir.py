"""Makes the data directory, and what is missing above it."""

import os
from pathlib import Path

from core.errors import ConfigurationError


def make(directory: Path) -> None:
    """Make `directory`: closed to others; root's can be passed through, not listed, by the user who runs Postgres."""
    mode = 0o711 if os.geteuid() == 0 else 0o700
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    try:
        for path in reversed(missing):
            path.mkdir()
            path.chmod(mode)
    except OSError as error:
        raise ConfigurationError(
            f"Can't make {directory}: {error.strerror}. Set TODOKU_DATA_DIR to a place that can be written to"
        ) from error
