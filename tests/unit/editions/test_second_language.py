"""A second language is a file: everything that is published speaks it, and nothing of the English file is left."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from dp_stats.catalogue import yaml
from dp_stats.charts.drawing import Studio
from dp_stats.charts.edition_chart import edition_pictures
from dp_stats.editions.publication import publish_edition
from dp_stats.outlets.index import refresh_index
from dp_stats.site import build
from dp_stats.texts.words import Texts

REPORTS = Path(__file__).resolve().parents[3] / "reports"
BASE = "https://statistics.example.org"
LETTERS = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "nopqrstuvwxyzabcdefghijklmNOPQRSTUVWXYZABCDEFGHIJKLM"
)
KEPT = re.compile(r"\{+[^{}]*\}+|`[^`]*`|\]\([^)]*\)")
"""What a translator leaves as it is: names in braces, code and the targets of links."""

SAME = {"locale", "authority", "names"}
"""Keys whose values are codes, or names to compare with declared ones."""


def strange(text: str) -> str:
    """``text`` in words that are none of the English ones (the library that writes workbooks wants Latin letters)."""
    start, made = 0, []
    for kept in KEPT.finditer(text):
        made += [text[start : kept.start()].translate(LETTERS), kept.group()]
        start = kept.end()
    return "".join([*made, text[start:].translate(LETTERS)])


def translated(node: Any, key: str = "") -> Any:
    if isinstance(node, dict):
        return {k: translated(v, str(k)) for k, v in node.items()}
    if isinstance(node, list):
        return [translated(v, key) for v in node]
    return strange(node) if isinstance(node, str) and key not in SAME else node


def leaves(node: Any, key: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        for k, v in node.items():
            yield from leaves(v, str(k))
    elif isinstance(node, list):
        for v in node:
            yield from leaves(v, key)
    elif isinstance(node, str) and key not in SAME:
        yield node


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Templates, styles and layouts as they are, with one file of texts: Swiss numbers and unheard-of words."""
    folder = tmp_path_factory.mktemp("second") / "reports"
    shutil.copytree(REPORTS, folder, ignore=shutil.ignore_patterns("texts"))
    english = yaml.parse((REPORTS / "texts" / "en.yaml").read_text(encoding="utf-8"))
    words = {**translated(english), "locale": "de_CH"}
    words.pop("months")
    (folder / "texts" / "de").mkdir(parents=True)
    (folder / "texts" / "de.yaml").write_text(yaml.write(words), encoding="utf-8")
    for page in (REPORTS / "texts" / "en").glob("*.md"):
        (folder / "texts" / "de" / page.name).write_text(strange(page.read_text(encoding="utf-8")), encoding="utf-8")
    return folder


@pytest.fixture
def public(reports: Path, sample: Any, tmp_path: Path) -> Path:
    """Everything that one edition leads to, in that language."""
    texts = Texts.load(reports, "de")

    described = sample.edition(texts=texts)
    publish_edition(
        described,
        sample.estimates,
        tmp_path,
        texts=texts,
        illustrate=partial(edition_pictures, studio=Studio(reports, texts)),
    )
    refresh_index(tmp_path, base_url=BASE, texts=texts)
    build(tmp_path, reports=reports, base_url=BASE, language="de")
    return tmp_path


class Words(HTMLParser):
    """What a page says: its text and the attributes that are read out."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self.hidden = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hidden += tag in ("script", "style")
        self.said += [v for k, v in attrs if v and k in ("alt", "aria-label", "title", "placeholder", "content")]

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.said.append(data)


def contents(public: Path) -> Iterator[tuple[str, str]]:
    """(path, text) of every file that is text, and of the sheets of the workbook."""
    for path in sorted(p for p in public.rglob("*") if p.is_file()):
        name = path.relative_to(public).as_posix()
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as book:
                for part in book.namelist():
                    yield f"{name}/{part}", book.read(part).decode(errors="replace")
        elif path.suffix not in (".parquet", ".png", ".css", ".js", ".woff2"):
            yield name, path.read_text(encoding="utf-8")


def english_phrases() -> set[str]:
    """Every run of at least two words in the English texts."""
    files = [*leaves(yaml.parse((REPORTS / "texts" / "en.yaml").read_text(encoding="utf-8")))]
    files += [page.read_text(encoding="utf-8") for page in (REPORTS / "texts" / "en").glob("*.md")]
    runs = (run.strip() for text in files for part in KEPT.split(text) for run in re.split(r"[|\n*#]", part))
    return {run for run in runs if len(run) > 8 and re.search(r"[a-z]{2,} [a-z]{2,}", run)}


def test_no_phrase_of_the_english_texts_is_left_in_any_published_file(public: Path) -> None:
    phrases = english_phrases()
    assert len(phrases) > 300
    left = {(name, phrase) for name, text in contents(public) for phrase in phrases if phrase in text}
    assert left == set()


def test_pages_write_dates_and_numbers_as_the_language_does(public: Path) -> None:
    said = [(p, " ".join(Words(p.read_text(encoding="utf-8")).said)) for p in public.rglob("*.html")]
    assert len(said) > 10
    grouped = re.compile(r"\d,\d{3}\b")
    written = {n for page in (REPORTS / "texts" / "en").glob("*.md") for n in grouped.findall(page.read_text("utf-8"))}
    written |= set(grouped.findall("Cases per 100,000 people"))  # declared, as the long texts' own examples are
    assert {(p.name, n) for p, text in said for n in grouped.findall(text) if n not in written} == set()
    everything = " ".join(text for _, text in said)
    assert "390\N{RIGHT SINGLE QUOTATION MARK}000" in everything, "people of an area"
    assert "Februar 2021" in everything
    assert all('<html lang="de"' in p.read_text(encoding="utf-8") for p, _ in said)


def test_the_edition_its_feed_and_its_charts_speak_it_too(public: Path) -> None:
    files = dict(contents(public))
    (edition,) = [text for name, text in files.items() if name.endswith("r1/edition.json")]
    assert strange("Everything that one") in edition
    assert strange("New:") in files["feed.atom"]
    assert 'xml:lang="de"' in files["feed.atom"]
    charts = [text for name, text in files.items() if name.endswith(".svg") and "<desc" in text]
    assert charts
    assert all(strange("interval") in text or strange("overlap") in text for text in charts)
    assert any(strange("Note text") in text for name, text in files.items() if "workbook.xlsx" in name)
