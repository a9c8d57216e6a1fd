"""Signs a message with every key of a domain: relaxed/simple, no `l=`, the fields that matter oversigned.

Which fields: all that a reader or a mail program acts on. An oversigned one is named once more than it is present
(RFC 6376 section 8.15), so that a second From or List-Unsubscribe put in front breaks the signature. Body and header
are hashed over one canonical form for all keys. Nothing here depends on time or chance: the same message gets the
same signatures again.

What a run's messages have in common is made ready once: the canonical form of the fields that don't change, the list
of names, the signature field around its two hashes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from struct import Struct

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from pybase64 import b64encode

from delivery.dkim.canonical import relaxed_header, relaxed_value, simple_body
from delivery.dkim.keys import PrivateKey

OVERSIGNED = (b"from", b"subject", b"to", b"date", b"list-unsubscribe", b"list-unsubscribe-post")
SIGNED = (
    *(b"from", b"to", b"subject", b"date", b"message-id", b"reply-to", b"mime-version", b"content-type"),
    *(b"content-transfer-encoding", b"list-id", b"list-unsubscribe", b"list-unsubscribe-post", b"feedback-id"),
    # RFC 9477 section 3.1: a complaint address that no signature covers is to be ignored.
    b"cfbl-address",
)

_LINE = 76
_FOLD = b"\r\n "
_SHA256 = SHA256()
_PADDING = PKCS1v15()

Field = tuple[bytes, bytes]
"""A header field: name, value as it will be sent, folds included."""


class DkimSigner:
    """Signs for one domain with `keys`: (selector, private key) pairs, each with a selector of its own."""

    def __init__(self, domain: str, keys: Sequence[tuple[str, PrivateKey]]) -> None:
        if len({selector for selector, _ in keys}) != len(keys):
            raise ValueError("each key needs a selector of its own")
        self.domain = domain
        self._keys = [_of_key(domain, selector, key) for selector, key in keys]

    def prepare(self, fixed: Sequence[Field]) -> "PreparedSigner":
        """Return a signer for messages that all begin with these fields."""
        return PreparedSigner(self._keys, fixed)

    def sign(self, headers: Sequence[Field], body: bytes) -> bytes:
        """Return the signatures of one message; as `PreparedSigner.sign`, of all its fields."""
        return self.prepare(()).sign(headers, body)


class PreparedSigner:
    """Made by `DkimSigner.prepare`."""

    def __init__(self, keys: "Sequence[_Key]", fixed: Sequence[Field]) -> None:
        self._keys = keys
        self._fixed = fixed
        self._layouts: dict[tuple[bytes, ...], _Layout] = {}

    def sign(self, varying: Sequence[Field], body: bytes) -> bytes:
        """Return one DKIM-Signature field a key, with CRLFs, to stand before the message's header.

        `varying` are the fields behind the fixed ones; `body` is as transferred, before dot-stuffing.
        """
        names = tuple([name for name, _ in varying])
        layout = self._layouts.get(names)
        if layout is None:
            layout = self._layouts[names] = _lay_out(self._fixed, names, self._keys)
        block = layout.segments.copy()
        for at, position in layout.holes:
            block[at] = relaxed_value(varying[position][1])
        hashed = b64encode(sha256(simple_body(body)).digest())
        # The field that is being made comes last, with an empty b= and no CRLF (RFC 6376 section 3.7).
        header, end = b"".join(block), hashed + b"; b="
        fields = []
        for canonical, written, sign in layout.keys:
            signature = b64encode(sign(header + canonical + end))
            fields += [written, hashed, b";\r\n b=", _broken(signature), b"\r\n"]
        return b"".join(fields)


@dataclass(frozen=True, slots=True)
class _Key:
    """A key's part of the signature field, before `h=`, and what signs with it."""

    prefix: bytes
    sign: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class _Layout:
    """The canonical header of messages whose varying fields have the same names.

    `segments` are constants, with a place for the value of the field at `position` at each (place, position) of
    `holes`; `keys` are the signature field up to the body's hash, canonical and as sent, and what signs.
    """

    segments: list[bytes]
    holes: list[tuple[int, int]]
    keys: list[tuple[bytes, bytes, Callable[[bytes], bytes]]]


def _of_key(domain: str, selector: str, key: PrivateKey) -> _Key:
    # Which kind it is is asked once: the class is an abstract one, and asking costs as much as all the rest here.
    if isinstance(key, RSAPrivateKey):
        rsa = key.sign
        algorithm, sign = "rsa-sha256", lambda data: rsa(data, _PADDING, _SHA256)
    else:
        ed25519 = key.sign
        # RFC 8463 section 3: Ed25519 signs the SHA-256 hash, not the data.
        algorithm, sign = "ed25519-sha256", lambda data: ed25519(sha256(data).digest())
    prefix = f"v=1; a={algorithm}; c=relaxed/simple;\r\n d={domain};\r\n s={selector};"
    return _Key(prefix.encode("ascii"), sign)


def _lay_out(fixed: Sequence[Field], names: Sequence[bytes], keys: Sequence[_Key]) -> _Layout:
    segments, holes, listed = [b""], [], []
    for name in SIGNED:
        # Several fields of one name are signed from the last up (RFC 6376 section 5.4.2).
        positions = [at for at, other in enumerate(names) if other.lower() == name][::-1]
        values = [value for other, value in fixed if other.lower() == name][::-1]
        listed += [name] * (len(positions) + len(values) + (name in OVERSIGNED))
        for position in positions:
            segments[-1] += name + b":"
            holes.append((len(segments), position))
            segments += [b"", b"\r\n"]
        for value in values:
            segments[-1] += relaxed_header(name, value)
    layout = _Layout(segments, holes, [])
    for key in keys:
        value = key.prefix + _list(listed) + b"bh="
        canonical = relaxed_header(b"dkim-signature", value).removesuffix(b"\r\n")
        layout.keys.append((canonical, b"DKIM-Signature: " + value, key.sign))
    return layout


def _list(names: Sequence[bytes]) -> bytes:
    """Return `h=…;`, with a fold before, where it gets too long, and after it."""
    lines, line = [], b"h=" + names[0]
    for name in names[1:]:
        if len(line) + len(name) + 2 > _LINE:
            lines.append(line + b":")
            line = name
        else:
            line += b":" + name
    return _FOLD.join([b"", *lines, line + b";", b""])


def _broken(signature: bytes) -> bytes:
    """Return the signature's base64 in lines; verifiers ignore white space inside b=."""
    return _FOLD.join(_lines(len(signature)).unpack(signature))


@lru_cache(maxsize=16)
def _lines(length: int) -> Struct:
    # One call that cuts all lines takes a third of the time of a slice a line.
    whole, rest = divmod(length, _LINE - 2)
    return Struct(f"{_LINE - 2}s" * whole + f"{rest}s" * bool(rest))
