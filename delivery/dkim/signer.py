"""Signs a message with every key of a domain: relaxed/simple, no `l=`, the fields that matter oversigned.

Which fields: all that a reader or a mail program acts on. An oversigned one is named once more than it is present
(RFC 6376 section 8.15), so that a second From or List-Unsubscribe put in front breaks the signature. Body and header
are hashed over one canonical form for all keys. Nothing here depends on time or chance: the same message gets the
same signatures again.
"""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from delivery.dkim.canonical import relaxed_header, relaxed_value, simple_body
from delivery.dkim.keys import PrivateKey

OVERSIGNED = (b"from", b"subject", b"to", b"date", b"list-unsubscribe", b"list-unsubscribe-post")
SIGNED = (
    *(b"from", b"to", b"subject", b"date", b"message-id", b"reply-to", b"mime-version", b"content-type"),
    *(b"content-transfer-encoding", b"list-id", b"list-unsubscribe", b"list-unsubscribe-post", b"feedback-id"),
)

_LINE = 76
_FOLD = b"\r\n "
_SHA256 = SHA256()
_PADDING = PKCS1v15()


class DkimSigner:
    """Signs for one domain with `keys`: (selector, private key) pairs, each with a selector of its own."""

    def __init__(self, domain: str, keys: Sequence[tuple[str, PrivateKey]]) -> None:
        if len({selector for selector, _ in keys}) != len(keys):
            raise ValueError("each key needs a selector of its own")
        self.domain = domain
        self._keys = [(_prefix(domain, selector, key), key) for selector, key in keys]
        self._headers: dict[tuple[bytes, ...], bytes] = {}

    def sign(self, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bytes:
        """Return one DKIM-Signature field a key, with CRLFs, to stand before `headers`.

        `headers` are all fields as (name, value as it will be sent, folds included); `body` is as transferred,
        before dot-stuffing.
        """
        body_hash = b64encode(sha256(simple_body(body)).digest())
        present: dict[bytes, list[bytes]] = {}
        for name, value in headers:
            present.setdefault(name.lower(), []).append(value)
        names: list[bytes] = []
        signed: list[bytes] = []
        for name in SIGNED:
            values = present.get(name, ())
            names += [name] * (len(values) + (name in OVERSIGNED))
            # Several fields of one name are signed from the last up (RFC 6376 section 5.4.2).
            signed += [name + b":" + relaxed_value(value) + b"\r\n" for value in reversed(values)]
        block = b"".join(signed)
        middle = self._middle(tuple(names)) + body_hash + b";" + _FOLD + b"b="
        fields = []
        for prefix, key in self._keys:
            unsigned = prefix + middle
            # The field that is being made comes last, with an empty b= and no CRLF (section 3.7).
            data = block + relaxed_header(b"dkim-signature", unsigned)[:-2]
            signature = b64encode(_signature(key, data))
            fields += [b"DKIM-Signature: ", unsigned, _broken(signature), b"\r\n"]
        return b"".join(fields)

    def _middle(self, names: tuple[bytes, ...]) -> bytes:
        """Return `h=…; bh=`, folded; the same few lists come again and again."""
        made = self._headers.get(names)
        if made is None:
            lines, line = [], b"h=" + names[0]
            for name in names[1:]:
                if len(line) + len(name) + 2 > _LINE:
                    lines.append(line + b":")
                    line = name
                else:
                    line += b":" + name
            made = _FOLD.join([b"", *lines, line + b";"]) + _FOLD + b"bh="
            self._headers[names] = made
        return made


def _prefix(domain: str, selector: str, key: PrivateKey) -> bytes:
    algorithm = "rsa-sha256" if isinstance(key, RSAPrivateKey) else "ed25519-sha256"
    return f"v=1; a={algorithm}; c=relaxed/simple;\r\n d={domain};\r\n s={selector};".encode("ascii")


def _signature(key: PrivateKey, data: bytes) -> bytes:
    if isinstance(key, RSAPrivateKey):
        return key.sign(data, _PADDING, _SHA256)
    # RFC 8463 section 3: Ed25519 signs the SHA-256 hash, not the data.
    return key.sign(sha256(data).digest())


def _broken(signature: bytes) -> bytes:
    """Return the signature's base64 in lines; verifiers ignore white space inside b=."""
    return _FOLD.join(signature[at : at + _LINE - 2] for at in range(0, len(signature), _LINE - 2))
