"""What is sent: a mail of about 10 KB with twenty links, made of a campaign's few own words. Pure."""

from dataclasses import dataclass

LINKS = 20

_CELL = "padding:12px 0;border-bottom:1px solid #e5e5e5"
_LINK = "color:#0b6e4f;font-weight:bold;text-decoration:none"
_TEXT = "margin:4px 0 0;font-size:13px;line-height:1.7;color:#444"
_GOODS = ("有田焼の湯のみ", "今治のタオル", "南部鉄器の急須", "曲げわっぱ弁当箱", "江戸切子のグラス")
_WORDS = (
    "一つずつ手で仕上げました。毎日の食卓に、季節の贈り物に、どうぞ一度お手に取ってご覧ください。",
    "昨年ご好評をいただき、すぐに品切れとなった一品です。今年は数を増やしてお待ちしております。",
    "軽くて丈夫、長くお使いいただけます。お手入れの方法は商品ページで詳しくご紹介しています。",
    "職人の技が光る限定の色です。会員の皆さまに、ひと足早くお知らせいたします。",
)


@dataclass(frozen=True, slots=True)
class Letter:
    """A template's parts; `links` are the targets in their order."""

    subject: str
    preheader: str
    html: str
    links: tuple[str, ...]


def make_letter(key: str, headline: str) -> Letter:
    """Return the template whose links belong to the campaign `key`."""
    links = tuple(f"https://shop.example.jp/{key}/{number:02}?via=mail&no={number}" for number in range(LINKS))
    items = "\n".join(_item(number, link) for number, link in enumerate(links))
    return Letter(
        subject=f"{{{{ name }}}} 様、{headline}",
        preheader="{{ name }} 様のポイントは {{ points|number }} 点です",
        html=_PAGE.format(headline=headline, items=items, key=key),
        links=links,
    )


def _item(number: int, link: str) -> str:
    words = _WORDS[number % len(_WORDS)]
    return (
        f'<tr><td style="{_CELL}"><a href="{link.replace("&", "&amp;")}" style="{_LINK}">'
        f"{_GOODS[number % len(_GOODS)]} 第{number + 1}番</a>\n"
        f'<p style="{_TEXT}">{words}</p></td></tr>'
    )


_PAGE = """<!doctype html>
<html lang="ja">
<head><meta charset="utf-8"><title>{headline}</title></head>
<body style="margin:0;background:#f4f4f0;font-family:'Hiragino Sans','Yu Gothic',Meiryo,sans-serif;color:#222">
<table role="presentation" width="100%" style="max-width:600px;margin:0 auto;background:#fff;border-collapse:collapse">
<tr><td style="padding:24px 24px 8px"><h1 style="font-size:20px;margin:0">{headline}</h1>
<p style="font-size:15px;line-height:1.8">{{{{ name }}}} 様</p>
<p style="font-size:14px;line-height:1.8">いつも届く商店をご利用いただき、ありがとうございます。
{{% if rank == "gold" %}}ゴールド会員の{{{{ name }}}}様には、送料無料の特典がございます。{{% endif %}}
現在のポイントは <strong>{{{{ points|number }}}}</strong> 点です。
{{% if birthday is defined %}}
お誕生日の{{{{ birthday|date("%-m月%-d日") }}}}には、さらに倍のポイントを差し上げます。{{% endif %}}</p>
</td></tr>
<tr><td style="padding:0 24px"><table role="presentation" width="100%" style="border-collapse:collapse">
{items}
</table></td></tr>
<tr><td style="padding:16px 24px 32px;font-size:12px;line-height:1.8;color:#666">お届け先: {{{{ street }}}}<br>
価格はすべて税込みです。品切れの際はご容赦ください。</td></tr>
</table>
</body>
</html>
"""
