"""Files that are downloaded: their media types, and the form of an answer that is one."""

from fastapi.responses import StreamingResponse

CSV = "text/csv; charset=utf-8; header=present"
JSON_LINES = "application/jsonl"


class CsvFile(StreamingResponse):
    """CSV in UTF-8 with a byte order mark, as Excel wants it; an answer about JSON Lines says so itself."""

    media_type = CSV
