"""DKIM keys: made, written, read, and published in DNS (RFC 6376 section 3.6, RFC 8463 section 4)."""

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)

from core.errors import InvalidInput

PrivateKey = RSAPrivateKey | Ed25519PrivateKey

RSA_BITS = 2048
MAX_RSA_BITS = 4096
TXT_STRING = 255
"""Bytes of one string of a TXT record (RFC 1035 section 3.3.14)."""


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A private key and the selector under which its public half is published."""

    selector: str
    private: PrivateKey = field(repr=False)

    def to_der(self) -> bytes:
        """Return the private key in PKCS #8 DER, unencrypted: seal it before it is stored."""
        return self.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    def to_pem(self) -> bytes:
        """Return the private key in PKCS #8 PEM, unencrypted."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def record(self) -> str:
        """Return the public key as the text of its TXT record."""
        public = self.private.public_key()
        if isinstance(self.private, RSAPrivateKey):
            kind, raw = "rsa", public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        else:
            kind, raw = "ed25519", public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"v=DKIM1; k={kind}; p={b64encode(raw).decode()}"


def generate_keys(label: str = "todoku") -> tuple[DkimKey, DkimKey]:
    """Return a new RSA-2048 and a new Ed25519 key under the selectors `<label>-rsa` and `<label>-ed`.

    A verifier that knows only RSA finds its own selector; a rotation takes a new label.
    """
    return (
        DkimKey(f"{label}-rsa", generate_private_key(public_exponent=65537, key_size=RSA_BITS)),
        DkimKey(f"{label}-ed", Ed25519PrivateKey.generate()),
    )


def load_private_key(encoded: bytes, *, ours: bool = False) -> PrivateKey:
    """Return the private key of an unencrypted PEM or DER document.

    `ours`: made by us and kept sealed, so its numbers need no proof: proving that those of an RSA key are primes takes
    35 ms, and a worker opens the keys of each campaign that it begins.
    Raises InvalidInput if it can't be read, or is neither Ed25519 nor RSA of 2048 to 4096 bits.
    """
    try:
        load = load_pem_private_key if encoded.lstrip().startswith(b"-----BEGIN") else load_der_private_key
        key = load(encoded, password=None, unsafe_skip_rsa_key_validation=ours)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidInput("The DKIM key can't be read: an unencrypted PEM or DER document is needed") from None
    if isinstance(key, Ed25519PrivateKey) or (
        isinstance(key, RSAPrivateKey) and RSA_BITS <= key.key_size <= MAX_RSA_BITS
    ):
        return key
    raise InvalidInput("A DKIM key is Ed25519, or RSA of 2048 to 4096 bits")


def dns_records(domain: str, keys: Iterable[DkimKey]) -> list[tuple[str, str, str]]:
    """Return (name, "TXT", value) to publish for each key.

    The value is in a zone file's form: quoted strings of at most 255 bytes, which verifiers join without a space.
    """
    return [(f"{key.selector}._domainkey.{domain}", "TXT", _quoted_strings(key.record())) for key in keys]


def _quoted_strings(text: str) -> str:
    return " ".join(f'"{text[at : at + TXT_STRING]}"' for at in range(0, len(text), TXT_STRING))
