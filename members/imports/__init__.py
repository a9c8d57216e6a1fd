"""Members from a file: uploaded in sealed blocks, read as a stream, merged in batches that each commit whole."""

from members.imports.compression import Bounds
from members.imports.run import run_import
from members.imports.store import Import, ImportStore

__all__ = ["Bounds", "Import", "ImportStore", "run_import"]
