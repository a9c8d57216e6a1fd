"""The reject file: what was not taken, with line and reason, in the file's own form, to be corrected and sent anew.

A layout (sheet.py, objects.py) writes its lines. Bytes that could not be decoded become U+FFFD there.
"""

import codecs
import re

BOM = codecs.BOM_UTF8
_UNDECODED = re.compile("[\ud800-\udfff]")


def decoded(text: str) -> str:
    """Return a text that can be encoded."""
    return text if text.isascii() else _UNDECODED.sub("\ufffd", text)
