"""dkimpy as the judge of our signatures, offline, with Ed25519 too.

dkimpy takes Ed25519 from PyNaCl and refuses such signatures without it. Here it gets that one primitive from
cryptography, under PyNaCl's names; what is judged (canonical forms, fields signed, hashes, tags) stays dkimpy's.
"""

from base64 import b64decode
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import dkim
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from delivery.dkim import DkimKey, dns_records


class _VerifyKey:
    def __init__(self, encoded: bytes, encoder: Any) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(encoder(encoded))

    def verify(self, message: bytes, signature: bytes) -> None:
        self._key.verify(signature, message)


dkim.nacl = SimpleNamespace(
    signing=SimpleNamespace(VerifyKey=_VerifyKey),
    encoding=SimpleNamespace(Base64Encoder=b64decode),
    exceptions=SimpleNamespace(BadSignatureError=InvalidSignature, ValueError=ValueError),
)


def verdicts(message: bytes, domain: str, keys: Iterable[DkimKey]) -> list[bool]:
    """Return for each DKIM-Signature of `message`, from the top, whether dkimpy finds it valid."""
    zone = {
        f"{name}.".encode(): value.replace('" "', "").strip('"').encode()
        for name, _, value in dns_records(domain, keys)
    }
    signatures = sum(name.lower() == b"dkim-signature" for name, _ in dkim.DKIM(message).headers)
    return [_valid(message, index, zone) for index in range(signatures)]


def _valid(message: bytes, index: int, zone: dict[bytes, bytes]) -> bool:
    try:
        return bool(dkim.DKIM(message).verify(index, dnsfunc=lambda name, timeout=5: zone.get(name)))  # noqa: ARG005 - dkimpy names it
    except dkim.DKIMException:
        return False
