"""The gallery and docs/papers.md: one file, no request, every text escaped, every claim with its verdict in it."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

import synthetic_claims
from heatproof.papers import PAPERS
from heatproof.papers.markdown import coded, markdown, plain
from heatproof.papers.types import Paper
from heatproof.papers.verdicts import CANNOT, HELD, TODO, VERDICTS, Claims
from heatproof.report.papers import render_claims
from heatproof.report.papers_parts import MARKS, commands, count, part, rows_of
from synthetic_claims import EVIL, METHODS
from test_report import Page

TEXTS = ("claim", "source", "published", "measured", "protocol", "reduced", "experiment")
PAPER_LIST = [synthetic_claims.paper(), synthetic_claims.paper("evil", "S9", 8, EVIL)]


@pytest.fixture(scope="module")
def claims(tmp_path_factory: pytest.TempPathFactory) -> Claims:
    return synthetic_claims.claims(tmp_path_factory.mktemp("claims"), PAPER_LIST)


@pytest.fixture(scope="module")
def source(claims: Claims) -> str:
    return render_claims(claims, PAPER_LIST).read_text("utf-8")


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    return Page(source)


def test_the_page_makes_no_request_and_runs_no_script_but_its_own(page: Page, claims: Claims) -> None:
    tags = [tag for tag, _ in page.elements]
    assert tags.count("script") == 1
    assert "alert" not in "".join(page.code["script"])
    assert not [k for _, attributes in page.elements for k in attributes if k.startswith("on")]
    assert all(value.startswith("data:") for value in page.values("src"))
    links = [v for v in page.values("href") if not v.startswith(("#", "data:"))]
    assert set(links) == {paper.link for paper in PAPER_LIST}
    assert any(v.startswith("default-src 'none'") for v in page.values("content"))
    assert [p.name for p in claims.folder.iterdir()] == ["gallery.html"]


def test_every_id_is_there_once_and_every_link_leads_to_one(page: Page) -> None:
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {v[1:] for v in page.values("href") if v.startswith("#")} <= set(ids)
    wanted = {f"claim-{claim.id}" for paper in PAPER_LIST for claim in paper.claims}
    assert wanted <= set(ids)


def test_every_claim_has_its_verdict_numbers_and_reasons(page: Page) -> None:
    text = re.sub(r"\s+", " ", page.text)
    for claim in PAPER_LIST[0].claims:
        assert f"{claim.id} {claim.source}" in text or f"{claim.id}{claim.source}" in text
        assert claim.says in text
        assert claim.protocol in text
    assert "0.53 (0.41 to 0.65)" in text
    assert "VGG-19 is not here" in text
    assert "Reduced by this budget: 200 of 10,000 images" in text
    assert all(verdict in text for verdict in VERDICTS)
    classes = {c for value in page.values("class") for c in value.split()}
    assert {f"v-{mark}" for mark in MARKS.values()} <= classes


def test_counts_are_those_of_the_table(claims: Claims) -> None:
    for paper in PAPER_LIST:
        own = claims.table[claims.table["paper"] == paper.name]["verdict"].value_counts()
        assert count(rows_of(paper, claims)) == {verdict: int(own.get(verdict, 0)) for verdict in VERDICTS}


def test_lines_are_drawings_and_photos_are_pixels_with_texts(page: Page, source: str) -> None:
    drawings = [a for tag, a in page.elements if tag == "svg" and a.get("role") == "img"]
    assert len(drawings) == 4
    assert all(a["aria-label"] for a in drawings)
    assert METHODS[3] in page.text
    photos = [a for tag, a in page.elements if tag == "img"]
    assert [a["alt"] for a in photos] == ["Maps of all methods over the stages, figure 5"] * 2
    image = Image.open(io.BytesIO(base64.b64decode(photos[0]["src"].partition(",")[2])))
    assert image.size[0] > int(photos[0]["width"])
    assert abs(image.size[0] / image.size[1] - int(photos[0]["width"]) / int(photos[0]["height"])) < 0.01
    assert "#c8102e" not in re.sub(r"<style>.*?</style>", "", source, flags=re.S)
    assert "var(--crimson)" in source


def test_a_picture_that_fails_says_so_and_loses_nothing(page: Page) -> None:
    assert f"This picture could not be drawn: ValueError: {EVIL}" in page.text
    assert "Shares inside and outside" in page.text
    assert "A picture without a measurement" in page.text


def test_a_claim_under_two_pictures_stands_in_full_once(claims: Claims) -> None:
    shown = part(PAPER_LIST[0], claims).pictures
    ids = [row.id for picture in shown for row in picture.claims]
    assert len(ids) == len(set(ids))
    assert [row.id for row in shown[1].again] == ["S0-Fig1"]


def test_errors_of_the_papers_are_marked(page: Page) -> None:
    text = re.sub(r"\s+", " ", page.text)
    assert "Errors of the papers" in text
    assert len([v for v in page.values("class") if v == "tag error"]) == 2 * 2
    assert text.count("error of the paper") == 4


def test_the_page_is_the_same_every_time(claims: Claims, source: str) -> None:
    assert render_claims(claims, PAPER_LIST).read_text("utf-8") == source


def test_the_papers_themselves_make_a_page(tmp_path: Path) -> None:
    claims = synthetic_claims.claims(tmp_path, [synthetic_claims.paper()])
    page = Page(render_claims(claims).read_text("utf-8"))
    assert set(PAPERS) <= set(page.values("id"))


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("none here", [("none here", False)]),
        ("run it: heatproof bench pixel.", [("run it: ", False), ("heatproof bench pixel", True), (".", False)]),
        ("so: heatproof audit (or not).", [("so: ", False), ("heatproof audit", True), (" (or not).", False)]),
        ("`a` and `b`", [("a", True), (" and ", False), ("b", True)]),
        ("heatproof says", [("heatproof says", False)]),
        (
            "so: heatproof audit --methods 'a, b' -x, too",
            [("so: ", False), ("heatproof audit --methods 'a, b' -x", True), (", too", False)],
        ),
    ],
)
def test_commands_are_found(text: str, pieces: list[tuple[str, bool]]) -> None:
    assert commands(text) == pieces


def test_commands_of_the_papers_are_whole() -> None:
    told = [claim.missing for paper in PAPERS.values() for claim in paper.claims if "heatproof " in claim.missing]
    assert told
    for text in told:
        codes = [piece for piece, code in commands(text) if code]
        assert codes, text
        assert all(piece.startswith("heatproof ") and piece.count("'") % 2 == 0 for piece in codes), text


def test_reason_and_why_are_sentences(claims: Claims) -> None:
    paper = PAPER_LIST[0]
    told = claims.table[(claims.table["paper"] == paper.name) & (claims.table["verdict"] == CANNOT)].index[0]
    held = claims.table.loc[told, ["reason", "why"]].copy()
    claims.table.loc[told, ["reason", "why"]] = ["the interval holds both answers", "SqueezeNet stands for VGG-16."]
    row = next(row for row in rows_of(paper, claims) if row.id == claims.table.loc[told, "id"])
    claims.table.loc[told, ["reason", "why"]] = held
    assert row.said == "The interval holds both answers. SqueezeNet stands for VGG-16."


def test_errors_that_were_not_run_are_not_listed() -> None:
    row = rows_of(PAPER_LIST[0], _error_of(TODO))
    assert [r.shows_error for r in row if r.error] == [False]
    assert [r.shows_error for r in rows_of(PAPER_LIST[0], _error_of(HELD)) if r.error] == [True]


def _error_of(verdict: str) -> Claims:
    table = pd.DataFrame([{"paper": PAPER_LIST[0].name, "id": claim.id, "verdict": verdict, "reason": "", "why": "",
                           **dict.fromkeys(TEXTS, "")} for claim in PAPER_LIST[0].claims])  # fmt: skip
    return Claims(Path(), {}, table, {}, {})


def _tables(text: str) -> list[list[list[str]]]:
    blocks = re.findall(r"(?:^\|.*\n)+", text, flags=re.M)
    return [[re.split(r"(?<!\\)\|", line)[1:-1] for line in block.splitlines()] for block in blocks]


def test_markdown_has_one_row_a_claim_and_every_table_is_whole(claims: Claims) -> None:
    text = markdown(claims, PAPER_LIST)
    tables = _tables(text)
    assert len(tables) == 1 + len(PAPER_LIST)
    for table in tables:
        assert len({len(row) for row in table}) == 1
    for paper, table in zip(PAPER_LIST, tables[1:], strict=True):
        assert [row[0].strip(" *") for row in table[2:]] == [claim.id for claim in paper.claims]
        assert all(cell.strip() for row in table for cell in row)
    counts = tables[0]
    assert counts[-1][0].strip() == "**all**"
    assert sum(int(cell) for cell in counts[-1][1:]) == sum(len(paper.claims) for paper in PAPER_LIST)


def test_markdown_escapes_everything(claims: Claims) -> None:
    evil = Paper("p|q", "S9", "a|b", "x\ny", "https://arxiv.org", PAPER_LIST[1].claims, ())
    claims.table.loc[claims.table["paper"] == "evil", "paper"] = "p|q"
    text = markdown(claims, [evil])
    claims.table.loc[claims.table["paper"] == "p|q", "paper"] = "evil"
    assert not re.search(r"<(?!https://)", text)
    assert "&lt;script&gt;" in text
    assert all(len({len(row) for row in table}) == 1 for table in _tables(text))


def test_markdown_says_how_it_was_made_and_what_is_missing(claims: Claims) -> None:
    text = markdown(claims, PAPER_LIST)
    assert "heatproof paper run all --budget full" in text
    assert "torch 2.13.0" in text
    assert f"`{synthetic_claims.COMMAND}`" in text
    assert "## Errors of the papers" in text
    assert "evil-0: 200 of 10,000 images" in text
    assert str(claims.folder) not in text


def test_text_for_markdown_is_one_line_without_folders() -> None:
    assert plain("there is no x in the data folder /work/shared/data") == "there is no x in the data folder data"
    assert plain("S1-4/Fig6 and 1/k at https://arxiv.org/abs/1") == "S1-4/Fig6 and 1/k at https://arxiv.org/abs/1"
    assert plain("a\n\n| b $x$") == "a \\| b \\$x\\$"
    assert coded("see `a|b` <x>") == "see `a b` &lt;x&gt;"
