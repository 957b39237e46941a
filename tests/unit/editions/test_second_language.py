"""A second language is a file: everything that is published speaks it, and nothing of the English file is left."""

from __future__ import annotations

import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from spoken import KEPT, REPORTS, SAME, Words, contents, english_phrases

from dp_stats.catalogue import yaml
from dp_stats.charts.drawing import Studio
from dp_stats.charts.edition_chart import edition_pictures
from dp_stats.editions.publication import publish_edition
from dp_stats.outlets.index import refresh_index
from dp_stats.site import build
from dp_stats.texts.words import Texts

BASE = "https://statistics.example.org"
LETTERS = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "nopqrstuvwxyzabcdefghijklmNOPQRSTUVWXYZABCDEFGHIJKLM"
)


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
