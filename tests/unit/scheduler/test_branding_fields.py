from dataclasses import replace
from uuid import UUID

import pytest

from core.errors import InvalidInput
from scheduler.branding.contrast import contrast
from scheduler.branding.fields import BrandingFields, Link, require_valid
from scheduler.branding.logo import media_type

PNG = b"\x89PNG\r\n\x1a\n"


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#ffffff", "#777777") == contrast("#777777", "#ffffff")


def test_what_is_usual_is_valid() -> None:
    require_valid(BrandingFields())
    whole = BrandingFields(
        name="届く商店",
        logo=PNG,
        links=(Link({"ja": "規約"}, "https://shop.example.jp/terms"),),
        texts={"ja": {"consent": "一行目\n二行目"}},
        sender_id=UUID(int=1),
        signup_open=True,
    )
    require_valid(whole)


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"name": "a\nb"}, "/name"),
        ({"language": "jpn"}, "/language"),
        ({"accent": "red"}, "/accent"),
        ({"accent": "#ffcc00"}, "/accent"),
        ({"accent_dark": "#0b5fa5"}, "/accent_dark"),
        ({"logo": b"<svg onload=x>"}, "/logo"),
        ({"logo": PNG + b"\0" * 20_000}, "/logo"),
        ({"links": (Link({"ja": "x"}, "javascript:alert(1)"),)}, "/links/0/url"),
        ({"links": (Link({}, "https://a.example"),)}, "/links/0/label"),
        ({"texts": {"ja": {"slogan": "x"}}}, "/texts/ja/slogan"),
        ({"texts": {"ja": {"title": ""}}}, "/texts/ja/title"),
        ({"signup_open": True}, "/sender"),
    ],
)
def test_each_fault_is_named_where_it_stands(changed: dict[str, object], pointer: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        require_valid(replace(BrandingFields(), **changed))  # type: ignore[arg-type]
    assert [fault.pointer for fault in refused.value.faults] == [pointer]


def test_a_picture_is_known_by_its_bytes() -> None:
    assert media_type(PNG) == "image/png"
    assert media_type(b"RIFF\0\0\0\0WEBPVP8 ") == "image/webp"
    assert media_type(b"<svg xmlns='http://www.w3.org/2000/svg'/>") is None
