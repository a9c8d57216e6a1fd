"""dkimpy, with PyNaCl for Ed25519, as the judge of our signatures, offline."""

from collections.abc import Iterable

import dkim

from delivery.dkim import DkimKey, dns_records


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
