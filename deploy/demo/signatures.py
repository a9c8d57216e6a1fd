"""Judges DKIM signatures (RFC 6376, RFC 8463) by dkimpy, with the DNS answers that the sender was told to publish.

dkimpy takes Ed25519 from PyNaCl. Here it gets that one primitive from cryptography, under PyNaCl's names; what is
judged (canonical forms, fields signed, hashes, tags) stays dkimpy's.
"""

import logging
import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import dkim
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ALGORITHMS = (b"rsa-sha256", b"ed25519-sha256")

_QUOTED = re.compile(r'"([^"]*)"')
_silent = logging.getLogger("demo.dkim")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


class _VerifyKey:
    def __init__(self, encoded: bytes, encoder: Any) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(encoder(encoded))

    def verify(self, message: bytes, signature: bytes) -> None:
        self._key.verify(signature, message)


_NACL = SimpleNamespace(
    signing=SimpleNamespace(VerifyKey=_VerifyKey),
    encoding=SimpleNamespace(Base64Encoder=b64decode),
    exceptions=SimpleNamespace(BadSignatureError=InvalidSignature, ValueError=ValueError),
)


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
    dkim.nacl = _NACL
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
