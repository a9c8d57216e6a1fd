"""A request's fingerprint: the same for the same request, however its body arrives."""

from hypothesis import given
from hypothesis import strategies as st

from api.idempotency import Fingerprint


def digest(body: bytes, *, cut: int = 1, boundary: bytes = b"", key: str = "k", target: str = "/v1/imports") -> bytes:
    made = Fingerprint(key, "POST", target, boundary)
    for at in range(0, len(body), cut):
        made.add(body[at : at + cut])
    return made.digest()


def upload(boundary: bytes, file: bytes) -> bytes:
    return b"--%b\r\nContent-Disposition: form-data; name=file\r\n\r\n%b\r\n--%b--\r\n" % (boundary, file, boundary)


@given(st.binary(max_size=200), st.integers(1, 50), st.integers(1, 50))
def test_pieces_do_not_matter(file: bytes, one: int, other: int) -> None:
    boundary = b"----abcabc"
    whole = upload(boundary, file)
    assert digest(whole, cut=one, boundary=boundary) == digest(whole, cut=other, boundary=boundary)


@given(st.integers(1, 60))
def test_a_new_boundary_is_the_same_upload(cut: int) -> None:
    one, other = b"----aaaaaaab", b"----bbbb"
    first = digest(upload(one, b"email\r\na@b.jp"), cut=cut, boundary=one)
    assert digest(upload(other, b"email\r\na@b.jp"), cut=cut, boundary=other) == first
    assert digest(upload(other, b"email\r\na@c.jp"), cut=cut, boundary=other) != first


def test_body_target_and_key_all_count() -> None:
    base = digest(b"{}")
    assert digest(b"{} ") != base
    assert digest(b"{}", target="/v1/groups") != base
    assert digest(b"{}", key="other") != base
