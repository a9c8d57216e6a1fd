"""Judges DKIM signatures (RFC 6376, RFC 8463) by dkimpy and PyNaCl, code that signed nothing of ours.

The DNS answers are those that the sender was told to publish.
"""

import logging
import re
from collections.abc import Iterable, Mapping

import dkim

ALGORITHMS = (b"rsa-sha256", b"ed25519-sha256")

_QUOTED = re.compile(r'"([^"]*)"')
_silent = logging.getLogger("demo.dkim")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


def make_zone(records: Iterable[Mapping[str, str]]) -> dict[bytes, bytes]:
    """Return TXT answers by name, from records `{name, type, value}` with values as in a zone file."""
    return {
        f"{record['name'].rstrip('.')}.".encode(): "".join(_QUOTED.findall(record["value"])).encode()
        or record["value"].encode()
        for record in records
        if record["type"] == "TXT"
    }


def valid_signatures(raw: bytes, zone: Mapping[bytes, bytes]) -> set[str]:
    """Return the algorithms of the signatures that are valid."""
    judge = dkim.DKIM(raw, logger=_silent)
    count = sum(name.lower() == b"dkim-signature" for name, _ in judge.headers)
    valid = set()
    for index in range(count):
        judge = dkim.DKIM(raw, logger=_silent)
        try:
            if judge.verify(index, dnsfunc=lambda name, timeout=5: zone.get(name)):  # noqa: ARG005 - named by dkimpy
                valid.add(judge.signature_fields[b"a"].decode())
        except dkim.DKIMException:
            continue
    return valid
