"""Members into a file: read page by page, sealed in blocks as imports are, streamed to whoever may have it."""

from members.exports.run import run_export
from members.exports.store import Export, ExportStore

__all__ = ["Export", "ExportStore", "run_export"]
