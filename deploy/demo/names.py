"""What made-up people are called and where they live."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FAMILIES = _words(
    "佐藤 鈴木 高橋 田中 伊藤 渡辺 山本 中村 小林 加藤 吉田 山田 佐々木 山口 松本 井上 木村 林 斎藤 清水 "
    "山﨑 森 池田 橋本 阿部 石川 前田 藤田 小川 後藤 岡田 長谷川 村上 近藤 石井 齋藤 坂本 遠藤 青木 藤井 "
    # In CP932, and in no older Japanese code.
    "髙橋 濵田 德永 渡邉"
)
GIVENS = _words(
    "太郎 花子 翔太 美咲 健一 陽菜 大輔 結衣 蓮 葵 悠真 凛 湊 紬 樹 芽依 直樹 さくら 拓也 ひなた 剛 あかり 誠 彩"
)
ENGLISH_GIVENS = _words("Anna Ben Clara David Emma Frank Grace Henry Ida Jack Kate Liam Mary Noah Olivia Paul Ruth Sam")
ENGLISH_FAMILIES = (
    *_words("Smith Jones O'Brien Taylor Brown Wilson Evans King Wright Green Baker Hill Smith-Jones Clark Lewis"),
    # What must be quoted in a header field, or stand for itself in HTML.
    *("Young, Jr.", "van Dyke", "Bell & Howell"),
)

PREFECTURES = {
    "hokkaido": "北海道",
    "miyagi": "宮城県",
    "saitama": "埼玉県",
    "chiba": "千葉県",
    "tokyo": "東京都",
    "kanagawa": "神奈川県",
    "niigata": "新潟県",
    "nagano": "長野県",
    "shizuoka": "静岡県",
    "aichi": "愛知県",
    "kyoto": "京都府",
    "osaka": "大阪府",
    "hyogo": "兵庫県",
    "nara": "奈良県",
    "okayama": "岡山県",
    "hiroshima": "広島県",
    "ehime": "愛媛県",
    "fukuoka": "福岡県",
    "kumamoto": "熊本県",
    "okinawa": "沖縄県",
}
"""By value: the label, which is what stands in the file."""

KANSAI = ("kyoto", "osaka", "hyogo", "nara")

RANKS = {"regular": "レギュラー", "silver": "シルバー", "gold": "ゴールド"}

TOWNS = _words("中央町 本町 緑ヶ丘 桜台 若葉 栄町 港南 大手町 みどり野 春日")
BUILDINGS = ("コーポ桜", "グリーンハイツ", "メゾン・ド・ミナト", "第二山田ビル", 'ハイム"青空"')

DOMAINS = _words("example.com example.net example.org mail.example.com post.example.net home.example.org")
