"""A deployment publishes in two languages: everything in each, data once, and what was never said in one is marked."""

from __future__ import annotations

import json
import os
import re
import shutil
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from english import TEXTS
from hypothesis import given
from hypothesis import strategies as st
from spoken import REPORTS, english_phrases

from dp_stats.catalogue import yaml
from dp_stats.catalogue.languages import DatasetWords, ReleaseWords, StatisticWords
from dp_stats.catalogue.spoken import dataset_in, release_in, unsaid
from dp_stats.charts.edition_chart import illustrator
from dp_stats.editions.edition import Edition
from dp_stats.editions.languages import said_in, speaks
from dp_stats.editions.looks import Looks
from dp_stats.editions.publication import publish_edition
from dp_stats.outlets.index import refresh_index
from dp_stats.settings import load_settings
from dp_stats.site import build
from dp_stats.site.terms import with_links
from dp_stats.texts.foreign import foreign, in_html, plain
from dp_stats.texts.words import Texts

BASE = "https://statistics.example.org"
WELSH = Texts.load(REPORTS, "cy")
CATEGORIES = {"zero", "one", "two", "few", "many", "other"}
PUBLISHER = "Asiantaeth Iechyd Enghreifftiol"
WORDS = ReleaseWords(
    title="Achosion yn ôl ardal",
    theme="Iechyd",
    summary="Faint o bobl a gafodd brawf positif.",
    known_issues=("Adroddir profion penwythnos yn hwyr.",),
    publisher=PUBLISHER,
    statistics={"cases": StatisticWords(title="Achosion a gadarnhawyd", unit="achosion")},
    tables={"area-day": "Achosion dyddiol yn ôl ardal"},
)


# The file of texts


def test_the_welsh_texts_say_all_that_the_english_ones_say_with_the_same_names_filled_in() -> None:
    def compared(english: Any, welsh: Any, key: str) -> None:
        if isinstance(english, dict) and "other" in english and set(english) <= CATEGORIES:
            assert set(welsh) == CATEGORIES, f"{key}: a form for each plural category of the language"
            for form in welsh.values():
                assert names(english["other"]) - {"count"} <= names(form) <= names(english["other"]), key
        elif isinstance(english, dict):
            assert set(welsh) == set(english) - {"months"}, f"{key}: the same keys"
            for name in welsh:
                compared(english[name], welsh[name], f"{key}.{name}")
        elif isinstance(english, list):
            assert key == ".articles.names" or key.endswith(".find") or len(english) == len(welsh), key
            for one, other in zip(english, welsh, strict=False):
                compared(one, other, key)
        else:
            assert names(english) == names(welsh), key
            assert english != welsh or not re.search(r"[a-z]{2,} [a-z]{2,}", english), f"{key} is still English"

    files = (yaml.parse((REPORTS / "texts" / f"{name}.yaml").read_text(encoding="utf-8")) for name in ("en", "cy"))
    compared(*files, "")


def names(text: str) -> set[str]:
    return set(re.findall(r"\{(\w*)\}", text))


@pytest.mark.parametrize("page", sorted(path.name for path in (REPORTS / "texts" / "en").glob("*.md")))
def test_each_long_text_is_there_in_welsh_with_the_same_parts_links_and_code(page: str) -> None:
    english, welsh = ((REPORTS / "texts" / name / page).read_text(encoding="utf-8") for name in ("en", "cy"))
    for parts in (r"^#+ ", r"^\d+\. ", r"^- ", r"^\| ", r"```", r"\{\{\w+\}\}", r"\]\([^)]*\)"):
        found = [re.findall(parts, text, re.MULTILINE) for text in (english, welsh)]
        assert found[0] == found[1], parts


def test_what_a_translation_lacks_is_said_in_english_and_marked_on_pages(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "en.yaml").write_text("{locale: en_GB, a: {b: one thing, c: 'of {n}'}, months: [Jan]}")
    (tmp_path / "texts" / "cy.yaml").write_text("{locale: cy, a: {b: un peth}}")
    plainly, marked = (Texts.load(tmp_path, "cy", marked=marked) for marked in (False, True))
    assert (plainly("a.b"), plainly("a.c", n=2)) == ("un peth", "of 2")
    assert in_html(f"<p>{marked('a.b')}, {marked('a.c', n=2)}</p>") == '<p>un peth, <span lang="en">of 2</span></p>'
    assert "months" not in plainly.words, "a language has its own names of months"


# Marks


@given(st.lists(st.tuples(st.text(alphabet=st.characters(exclude_categories=["Co", "Cs"])), st.booleans())))
def test_marks_come_and_go_without_a_trace(parts: list[tuple[str, bool]]) -> None:
    said = "".join(foreign(text, "en") if other else text for text, other in parts)
    assert plain(said) == "".join(text for text, _ in parts)
    assert plain(in_html(plain(said))) == plain(said)


def test_a_mark_is_an_element_in_text_and_nothing_where_none_may_stand() -> None:
    said = foreign("Cases", "en")
    assert in_html(f"<p>{said}</p>") == '<p><span lang="en">Cases</span></p>'
    assert in_html(f"<title>{said}</title>") == "<title>Cases</title>"
    assert in_html(f'<a title="{said}">x</a>') == '<a title="Cases">x</a>'
    assert in_html(f'<img alt="{said}" src="x">') == '<img lang="en" alt="Cases" src="x">'
    assert in_html(f"<svg><title>{said}</title><text>{said}</text></svg>{said}").endswith(
        '<text>Cases</text></svg><span lang="en">Cases</span>'
    )


# An edition and its site


def in_welsh(sample: Any) -> Any:
    """The sample with Welsh words in its declarations."""
    release = sample.release
    texts = release.texts.model_copy(update={"languages": {"cy": WORDS}})
    sample.release = release.model_copy(update={"texts": texts})
    return sample


@pytest.fixture(scope="module")
def public(make_sample: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two revisions of an edition: the first published before there was Welsh, the second in both languages."""
    tmp_path, sample = tmp_path_factory.mktemp("two"), make_sample()
    sample.publish(tmp_path)
    sample = in_welsh(sample)
    edition = sample.edition(revision=2, reason="A clinic had sent a file twice.", languages=[WELSH])
    publish_edition(
        edition,
        sample.estimates,
        tmp_path,
        texts=TEXTS,
        further=[WELSH],
        illustrate=illustrator(REPORTS, TEXTS, [WELSH], rough=True),
    )
    refresh_index(tmp_path, base_url=BASE, texts=TEXTS, further=[WELSH])
    build(tmp_path, base_url=BASE, further=["cy"])
    return tmp_path


class Spoken(HTMLParser):
    """What a page says in its own language: its text outside of elements that are in another, and of scripts."""

    VOID = frozenset({"meta", "link", "img", "input", "br", "source", "path", "circle", "use", "line", "rect"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[bool] = []
        self.said: list[str] = []
        self.unmarkable: list[str] = []
        self.titled = False
        self.links: list[str] = []
        self.other: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.links += [v for k, v in attrs if k in ("href", "src", "srcset", "action") and v]
        other = "lang" in known and tag != "html"
        self.unmarkable += [v for k, v in attrs if v and k in ("aria-label", "placeholder")]
        if not other and not any(self.open):
            self.said += [v for k, v in attrs if v and k == "alt"]
        if tag not in self.VOID:
            self.open.append(other or tag in ("script", "style", "pre", "title", "desc"))
            self.titled = tag in ("title", "desc")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        self.titled = False
        if tag not in self.VOID:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        (self.unmarkable if self.titled else self.other if any(self.open) else self.said).append(data)


def pages(public: Path) -> dict[str, Spoken]:
    return {
        path.relative_to(public).as_posix(): Spoken(path.read_text(encoding="utf-8")) for path in public.rglob("*.html")
    }


def test_welsh_pages_say_nothing_in_english_that_is_not_marked(public: Path, sample: Any) -> None:
    release, dataset = sample.release, sample.catalogue.dataset_of(sample.release)
    declared = {
        release.title,
        release.texts.summary,
        dataset.title,
        dataset.description,
        *(t.title for t in release.tables),
    }
    phrases = english_phrases() | declared | {s.title for s in (*release.statistics, *release.derived)}
    welsh = {name: page for name, page in pages(public).items() if name.startswith("cy/")}
    assert len(welsh) > 10
    left = {(name, p) for name, page in welsh.items() for p in phrases if p in " ".join(page.said)}
    assert left == set()
    whole = {name: page for name, page in welsh.items() if not name.endswith("/r1.html")}
    fixed = english_phrases()
    assert {(n, p) for n, page in whole.items() for p in fixed if p in " ".join(page.unmarkable)} == set()
    said = " ".join(text for page in welsh.values() for text in page.said)
    assert all(word in said for word in ("Achosion a gadarnhawyd", "15 i 21 Chwefror 2021", "cyfwng 95", PUBLISHER))
    front = (public / "cy" / "index.html").read_text(encoding="utf-8")
    assert '<html lang="cy">' in front
    assert "Drafft" in front, "a draft says that it is one"
    assert TEXTS("site.draft") == ""


def test_an_edition_of_before_says_so_and_its_sentences_are_marked(public: Path, sample: Any) -> None:
    place = public / "cy" / sample.release.id / sample.period.label
    old = Spoken((place / "r1.html").read_text(encoding="utf-8"))
    assert WELSH("edition.other_language").rpartition(".")[0].split(". ")[-1] in " ".join(old.said)
    assert sample.release.texts.summary in " ".join(old.other)
    assert "15 i 21 Chwefror 2021" in " ".join(old.said), "days are written from facts"
    new = Spoken((place / "index.html").read_text(encoding="utf-8"))
    assert "yn yr iaith y'i cyhoeddwyd ynddi" not in " ".join(new.said)


def test_every_link_of_either_language_leads_to_a_file_and_data_are_there_once(public: Path) -> None:
    broken = set()
    for name, page in pages(public).items():
        for link in page.links:
            target = re.split("[?#]", link)[0]
            if target and not re.match(r"[a-z]+:|/", target):
                found = Path(os.path.normpath(public / Path(name).parent / target))
                if not (found.is_file() or (found / "index.html").is_file()):
                    broken.add((name, link))
    assert broken == set()
    own = {path.suffix for path in (public / "cy").rglob("*") if path.is_file()} - {
        ".html",
        ".svg",
        ".png",
        ".atom",
        ".ics",
    }
    assert own == {".json", ".csv"}
    assert {p.name for p in (public / "cy").rglob("*.csv") if p.parent.name != "charts"} == {"register.csv"}


def test_a_term_leads_to_the_glossary_from_its_first_sentence_in_either_language(public: Path) -> None:
    for tree in ("", "cy/"):
        known = re.findall(r'<dt id="([^"]*)"', (public / tree / "glossary.html").read_text(encoding="utf-8"))
        assert "interval" in known
        page = (public / tree / "cases-by-area" / "index.html").read_text(encoding="utf-8")
        led = re.findall(r'<a class="term" href="\.\./glossary\.html#([^"]*)">', page)
        assert {"noise", "privacy-loss"} <= set(led) <= set(known)
        assert len(led) == len(set(led)), "each once"
        assert not re.search(r'<(h1|h2|h3|a)\b[^>]*>[^<]*<a class="term"', page)


@pytest.mark.parametrize("text", ["<p>noise</p>", "<li>more noise here</li>"])
def test_a_term_is_linked_once_and_only_in_sentences(text: str) -> None:
    made = with_links(f"<h2>noise</h2><p class='x'><a>noise</a></p>{text}{text}", TEXTS, "../")
    assert made.count("glossary.html#noise") == 1
    assert with_links('<p class="visually-hidden">noise</p><svg><p>noise</p></svg>', TEXTS, "").count("<a") == 0


def test_each_page_leads_to_itself_in_the_other_language_and_the_site_map_has_both(public: Path) -> None:
    every = {name for name in pages(public) if name != "404.html"}
    english = {name for name in every if not name.startswith("cy/")}
    assert {f"cy/{name}" for name in english} == every - english
    there = (public / "sitemap.xml").read_text(encoding="utf-8")
    for name in english:
        for own, tree in ((f"{BASE}/{name}", ""), (f"{BASE}/cy/{name}", "cy/")):
            text = (public / tree / name).read_text(encoding="utf-8")
            assert f'<link rel="canonical" href="{own}">' in text
            for language, address in (("en", f"{BASE}/{name}"), ("cy", f"{BASE}/cy/{name}")):
                assert f'<link rel="alternate" hreflang="{language}" href="{address}">' in text
            assert f"<loc>{own}</loc>" in there


def test_files_of_an_edition_are_there_in_each_language_and_its_words_by_json_pointer(
    public: Path, sample: Any
) -> None:
    folder = public / sample.release.id / sample.period.label / "r2"
    document = json.loads((folder / "edition.json").read_text(encoding="utf-8"))
    for pointer, text in document["words"]["cy"].items():
        node: Any = document
        for part in pointer.split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            node = node[int(key) if isinstance(node, list) else key]
        assert isinstance(node, str)
        assert node != text
    with zipfile.ZipFile(folder / "workbook-cy.xlsx") as book:
        sheets = " ".join(book.read(part).decode(errors="replace") for part in book.namelist())
    assert "Testun y nodyn" in sheets
    assert "Note text" not in sheets
    assert "Achosion dyddiol yn ôl ardal" in (folder / "readers-kit-cy.md").read_text(encoding="utf-8")
    labels = (folder / "labels.csv").read_text(encoding="utf-8")
    assert "statistic,,cases,Confirmed cases,Achosion a gadarnhawyd" in labels
    described = json.loads((folder / "area-day.csv-metadata.json").read_text(encoding="utf-8"))
    assert {"@value": "Achosion dyddiol yn ôl ardal: 15 i 21 Chwefror 2021", "@language": "cy"} in described["dc:title"]
    assert "Achosion" in (folder / "chart-cy.svg").read_text(encoding="utf-8")


def test_feeds_calendar_registers_and_the_catalogue_speak_both(public: Path) -> None:
    feed = (public / "cy" / "feed.atom").read_text(encoding="utf-8")
    assert 'xml:lang="cy"' in feed
    assert "Diwygiwyd: Achosion yn ôl ardal" in feed
    assert f"{BASE}/cy/cases-by-area/2021-W07/index.html" in feed
    ids = [set(re.findall("urn:uuid:[0-9a-f-]+", (public / t / "feed.atom").read_text())) for t in ("", "cy")]
    assert ids[0].isdisjoint(ids[1]), "an entry in another language is another entry"
    (use,) = json.loads((public / "cy" / "register.json").read_text(encoding="utf-8"))
    assert use["title"] == "Achosion yn ôl ardal"
    catalogue = (public / "catalog.jsonld").read_text(encoding="utf-8")
    (dataset,) = json.loads(catalogue)["dcat:dataset"]
    assert {word["@language"] for word in dataset["dct:title"]} == {"en", "cy"}
    assert len(dataset["dct:language"]) == 2


def test_nothing_is_written_anew_where_nothing_changed_and_a_language_that_is_dropped_goes(
    public: Path, tmp_path: Path
) -> None:
    public = Path(shutil.copytree(public, tmp_path / "public"))
    again = build(public, base_url=BASE, further=["cy"])
    assert (again.written, again.removed) == (0, 0)
    dropped = build(public, base_url=BASE)
    assert dropped.removed > 10
    assert not list((public / "cy").rglob("*.html"))
    assert "hreflang" not in (public / "index.html").read_text(encoding="utf-8")


def test_an_edition_in_its_own_language_is_itself_and_in_another_keeps_every_fact(sample: Any) -> None:
    edition = in_welsh(sample).edition(languages=[WELSH])
    assert said_in(edition, TEXTS) is edition
    welsh = said_in(edition, WELSH)
    assert (welsh.release.title, welsh.period.text) == ("Achosion yn ôl ardal", "15 i 21 Chwefror 2021")
    assert welsh.model_copy(update={"words": {}}) != edition
    assert [speaks(edition, language) for language in ("en", "cy", "fr")] == [True, True, False]
    facts = {"guarantee": ("rho", "epsilon", "measured"), "period": ("label", "start", "end")}
    for part, kept in facts.items():
        assert all(getattr(getattr(welsh, part), name) == getattr(getattr(edition, part), name) for name in kept)
    assert [d.levels[0].codes for d in welsh.dimensions] == [d.levels[0].codes for d in edition.dimensions]
    assert Edition.model_validate_json(edition.to_json()) == edition


def test_an_edition_that_speaks_english_alone_has_no_words_of_others(sample: Any) -> None:
    assert '"words"' not in sample.edition().to_json()
    assert '"language"' not in sample.edition().to_json()


# Declarations


def test_a_declaration_reads_in_a_language_and_what_it_does_not_say_stays(sample: Any) -> None:
    release = in_welsh(sample).release
    welsh = release_in(release, "cy")
    assert (welsh.title, welsh.statistics[0].title) == ("Achosion yn ôl ardal", "Achosion a gadarnhawyd")
    assert welsh.texts.public_benefit == release.texts.public_benefit
    assert release_in(release, "fr") is release
    dataset = sample.catalogue.dataset_of(release)
    assert dataset_in(dataset, "cy") is dataset
    named = dataset.model_copy(update={"languages": {"cy": DatasetWords(title="Achosion")}})
    assert (dataset_in(named, "cy").title, dataset_in(named, "cy").description) == ("Achosion", dataset.description)


def test_what_is_not_said_in_a_language_is_named(sample: Any) -> None:
    release = in_welsh(sample).release
    dataset = sample.catalogue.dataset_of(release)
    missing = set(unsaid(release, dataset, "cy"))
    assert {"public_benefit", "subtheme", "tables.area-week-age", "statistics.rate", "dataset.title"} <= missing
    assert not {"title", "summary", "known_issues", "tables.area-day", "statistics.cases"} & missing


# What the ledger keeps


def test_the_texts_of_each_language_are_kept_with_an_edition_and_old_parts_are_read(tmp_path: Path) -> None:
    settings = load_settings({"DP_STATS_HOME": str(tmp_path), "DP_STATS_FURTHER_LANGUAGES": "cy"})
    looks = Looks.of(settings)
    assert Looks.read(looks.part) == looks
    with looks.spoken() as spoken:
        assert (spoken.texts.language, [t.language for t in spoken.further]) == ("en", ["cy"])
        assert spoken.further[0]("site.home") == "Hafan"
    alone = Looks.of(load_settings({"DP_STATS_HOME": str(tmp_path)}))
    assert Looks.read(alone.part) == alone
    assert (alone.further, alone.more) == ((), {}), "as parts were kept when there was one language"
