"""An edition in another language: its sentences as they were written at publication, and days and weeks from its facts.

An edition speaks one language and holds its words in others beside (``Edition.words``). What was never said in a language
stays as it is, and is marked as being of another where whatever shows it can say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from dp_stats.catalogue.grid import ALL
from dp_stats.catalogue.periods import parse_period
from dp_stats.editions.edition import DimensionFacts, Edition, FileFacts, LevelFacts, PeriodFacts, TableFacts
from dp_stats.texts.foreign import foreign, plain
from dp_stats.texts.words import Texts

SENTENCE, NAME = "sentence", "name"
"""A text of which it matters in which language it is, and one that may be the same in all."""

_PRACTICE = ("status", "revisions", "pre_release_access", "source_quality", "timeliness", "comparability")
EACH = "*"
WORDS: Mapping[str, Any] = {
    "release": {
        "title": SENTENCE,
        "summary": SENTENCE,
        "public_benefit": SENTENCE,
        "known_issues": {EACH: SENTENCE},
        "practice": dict.fromkeys(_PRACTICE, SENTENCE),
        "theme": SENTENCE,
        "subtheme": SENTENCE,
        "keywords": {EACH: NAME},
        "publisher": NAME,
        "purpose": SENTENCE,
    },
    "dataset": {
        "title": SENTENCE,
        "description": SENTENCE,
        "region": NAME,
        "legal_basis": SENTENCE,
        "records": {EACH: {"legal_basis": SENTENCE}},
        "agreement": {"title": SENTENCE, "purpose": SENTENCE},
        "links": {EACH: {"quality": SENTENCE}},
    },
    "revision": {"reason": SENTENCE},
    "guarantee": {
        "unit_description": SENTENCE,
        "bound_description": SENTENCE,
        "neighbouring": SENTENCE,
        "why_nothing_is_truncated": SENTENCE,
        "composition": SENTENCE,
        "not_protected": {EACH: SENTENCE},
        "post_processing": {EACH: SENTENCE},
        "protections": {EACH: SENTENCE},
        "justification": SENTENCE,
    },
    "quality": {"notes": {EACH: {"text": SENTENCE}}},
    "dimensions": {EACH: {"title": SENTENCE, "levels": {EACH: {"title": SENTENCE, "names": {EACH: NAME}}}}},
    "statistics": {EACH: {"title": SENTENCE, "unit": SENTENCE, "description": SENTENCE}},
    "tables": {EACH: {"title": SENTENCE}},
}
"""The texts of an edition that are said in each language. Days and weeks are written from facts, whatever the language."""

FORMATS = {".csv": "CSV", ".parquet": "Parquet"}
"""Ending of a table's file → what its form is called in every language."""

Say = Callable[[str, str, str], str]
"""Takes a text's JSON Pointer, the text, and whether it is a sentence or a name; gives what stands in its place."""


def words_of(edition: Edition, other: Edition) -> dict[str, str]:
    """The texts of ``other``, which says the same in another language, where they differ from those of ``edition``: by
    JSON Pointer."""
    own = dict(_texts(edition))
    return {pointer: text for pointer, text in _texts(other) if own.get(pointer) not in (None, text)}


def said_in(edition: Edition, texts: Texts) -> Edition:
    """The edition as it reads in the language of ``texts``; itself where that is its own.

    What it does not hold in that language stays as it is; a sentence is marked as being of another one if ``texts`` are.
    """
    if edition.language == texts.language:
        return edition
    known = edition.words.get(texts.language, {})

    def say(pointer: str, text: str, kind: str) -> str:
        if pointer in known:
            return known[pointer]
        return foreign(text, edition.language) if texts.marked and kind == SENTENCE else text

    said: Edition = _rewritten(edition, WORDS, "", say)
    own = dict(_texts(edition))
    return said.model_copy(
        update={
            "words": {
                **edition.words,
                edition.language: {pointer: own[pointer] for pointer in known if pointer in own},
            },
            "period": _period(edition.period, texts),
            "dimensions": tuple(_dated(d, texts) if d.kind == "date" else d for d in said.dimensions),
            "tables": tuple(_with_files(table, texts) for table in said.tables),
        }
    )


def names_elsewhere(edition: Edition, dimension: str) -> Iterator[tuple[str, str]]:
    """(code, name) of each group of a dimension that is called otherwise in another language of the edition."""
    at, found = next((i, d) for i, d in enumerate(edition.dimensions) if d.name == dimension)
    for words in edition.words.values():
        for depth, level in enumerate(found.levels):
            for index, (code, name) in enumerate(zip(level.codes, level.names, strict=True)):
                other = words.get(f"/dimensions/{at}/levels/{depth}/names/{index}", name)
                if other != name:
                    yield code, other


def own_words(edition: Edition, name: str) -> str:
    """A text of an edition's release, by its field, in the language that is the edition's own, in whichever it is read."""
    kept = edition.words.get(edition.language, {}).get(f"/release/{name}")
    return kept if kept is not None else plain(str(getattr(edition.release, name) or ""))


def speaks(edition: Edition, language: str) -> bool:
    """Whether an edition was published in a language."""
    return language == edition.language or bool(edition.words.get(language))


def foreign_reason(reason: str, edition: Edition, texts: Texts) -> str:
    """What was said of an edition after it was published, in its own language: marked where ``texts`` are of another."""
    return foreign(reason, edition.language) if texts.marked and edition.language != texts.language else reason


def _period(period: PeriodFacts, texts: Texts) -> PeriodFacts:
    covered = parse_period(period.label).within(period.start, period.end)
    return period.model_copy(update={"text": texts.period(covered.code, kind=period.kind)})


def _with_files(table: TableFacts, texts: Texts) -> TableFacts:
    """A table whose files are called after its title."""

    def named(file: FileFacts) -> FileFacts:
        form = FORMATS.get(Path(file.path).suffix, "")
        return file.model_copy(update={"title": texts("metadata.file", table=table.title, format=form)})

    return table.model_copy(update={"files": tuple(map(named, table.files))})


def _dated(dimension: DimensionFacts, texts: Texts) -> DimensionFacts:
    """Days, weeks and months in the language's words."""

    def named(level: LevelFacts) -> LevelFacts:
        names = tuple(
            name if code == ALL else texts.period(code, kind=level.name)
            for code, name in zip(level.codes, level.names, strict=True)
        )
        return level.model_copy(update={"names": names})

    return dimension.model_copy(update={"levels": tuple(map(named, dimension.levels))})


def _texts(edition: Edition) -> Iterator[tuple[str, str]]:
    """(JSON Pointer, text) of every text that is said in each language, but for days and weeks."""
    found: list[tuple[str, str]] = []

    def note(pointer: str, text: str, kind: str) -> str:
        found.append((pointer, text))
        return text

    _rewritten(edition, WORDS, "", note)
    dated = tuple(f"/dimensions/{at}/levels/" for at, d in enumerate(edition.dimensions) if d.kind == "date")
    for pointer, text in found:
        if text and not ("/names/" in pointer and pointer.startswith(dated or ("-",))):
            yield pointer, text


def _rewritten(node: Any, wanted: Any, pointer: str, say: Say) -> Any:
    """A node with what ``say`` gives in the place of each text that is wanted."""
    if isinstance(node, str):
        return say(pointer, node, wanted) if node else node
    if isinstance(node, tuple):
        return tuple(_rewritten(part, wanted[EACH], f"{pointer}/{at}", say) for at, part in enumerate(node))
    if isinstance(node, dict):
        return {key: _rewritten(part, wanted[EACH], f"{pointer}/{_escaped(key)}", say) for key, part in node.items()}
    assert isinstance(node, BaseModel)
    return node.model_copy(
        update={
            name: _rewritten(value, below, f"{pointer}/{name}", say)
            for name, below in wanted.items()
            if (value := getattr(node, name)) is not None
        }
    )


def _escaped(key: str) -> str:
    """A key as RFC 6901 writes it."""
    return key.replace("~", "~0").replace("/", "~1")
