import csv
from datetime import UTC, datetime
from io import StringIO
from uuid import UUID

from tracking.figures import CampaignReport, Figures, LinkReport, RunReport
from tracking.sheet import CAMPAIGN_COLUMNS, campaign_csv, links_csv

RUN = UUID("0192f0c1-2b3c-7d4e-8f50-a1b2c3d4e5f6")
AT = datetime(2026, 4, 1, 9, tzinfo=UTC)


def test_a_campaign_is_a_line_for_each_run_and_one_for_their_sum() -> None:
    figures = Figures(snapshot=10, accepted=8, failed=2, opens=6, unique_opens=4)
    run = RunReport(RUN, "finished", AT, AT, AT.replace(microsecond=250_000), None, figures)
    report = CampaignReport(RUN, "春の, セール", (run, run), Figures.total([figures, figures]), AT)
    header, first, _, total = csv.reader(StringIO(campaign_csv(report)))
    assert tuple(header) == CAMPAIGN_COLUMNS
    line = dict(zip(header, first, strict=True))
    assert line["campaign"] == "春の, セール"
    assert (line["accepted"], line["open_rate"], line["unique_open_rate"]) == ("8", "0.750000", "0.500000")
    assert (line["starts_at"], line["finished_at"], line["lateness_ms"]) == ("2026-04-01T09:00:00.000+00:00", "", "250")
    sums = dict(zip(header, total, strict=True))
    assert (sums["run"], sums["snapshot"], sums["unique_open_rate"]) == ("total", "20", "0.500000")


def test_a_cell_that_looks_like_a_formula_is_shown_as_text() -> None:
    for name in ("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\0x"):
        report = CampaignReport(RUN, name, (), Figures(), AT)
        assert [line[0] for line in csv.reader(StringIO(campaign_csv(report), newline=""))][1] == "'" + name


def test_links_are_listed_with_their_clicks() -> None:
    bad, plain = "=cmd|' /C calc'!A0", "https://a.example/,b"
    text = links_csv([LinkReport(RUN, 0, bad, 3, 2, 1, 1), LinkReport(RUN, 1, plain, 0, 0, 0, 0)])
    _, first, second = csv.reader(StringIO(text))
    assert first[1:] == ["0", "'=cmd|' /C calc'!A0", "3", "2", "1", "1"]
    assert second[1:] == ["1", "https://a.example/,b", "0", "0", "0", "0"]
