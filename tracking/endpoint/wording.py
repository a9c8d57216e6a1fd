"""What the tracker's pages say, in Japanese and English, and which of the two a reader gets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Language = Literal["ja", "en"]

_LONGEST_HEADER = 200


@dataclass(frozen=True, slots=True)
class Words:
    """A page's heading and its sentence."""

    heading: str
    text: str


ERRORS: Mapping[int, Mapping[Language, Words]] = {
    400: {
        "ja": Words("読み取れませんでした", "リクエストが正しくありません。"),
        "en": Words("Not understood", "The request is not valid."),
    },
    404: {
        "ja": Words("ページが見つかりません", "リンクが途中で切れていないか、ご確認ください。"),
        "en": Words("Page not found", "Please check that the link is complete."),
    },
    405: {
        "ja": Words("この操作はできません", "このページでは受け付けていない操作です。"),
        "en": Words("Not possible here", "This page does not take that kind of request."),
    },
    408: {
        "ja": Words("時間切れです", "リクエストが届ききりませんでした。もう一度お試しください。"),
        "en": Words("Too slow", "The request did not arrive in time. Please try again."),
    },
    413: {
        "ja": Words("大きすぎます", "リクエストが大きすぎます。"),
        "en": Words("Too large", "The request is too large."),
    },
    500: {
        "ja": Words("エラーが発生しました", "申し訳ありません。しばらくしてからもう一度お試しください。"),
        "en": Words("Something went wrong", "We are sorry. Please try again a little later."),
    },
    503: {
        "ja": Words(
            "ただいま混み合っています", "手続きの完了を確認できませんでした。しばらくしてからもう一度お試しください。"
        ),
        "en": Words("Not available just now", "We could not confirm your request. Please try again a little later."),
    },
}


def language(accepted: str) -> Language:
    """Choose by an Accept-Language header (RFC 9110 section 12.5.4): Japanese if it is liked as much as English."""
    weights: dict[str, float] = {}
    for entry in accepted[:_LONGEST_HEADER].lower().split(","):
        name, _, parameter = entry.strip().partition(";")
        weight = parameter.strip().removeprefix("q=")
        try:
            weights.setdefault(name.strip().partition("-")[0], float(weight) if weight else 1.0)
        except ValueError:
            continue
    japanese, english = weights.get("ja", 0.0), weights.get("en", 0.0)
    return "ja" if japanese > 0 and japanese >= english else "en"
