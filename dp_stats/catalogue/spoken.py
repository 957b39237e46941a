"""A declaration as it reads in a further language, and what it does not say in one.

What is not said in a language is said as it stands in the declaration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dp_stats.catalogue.codes import CodeList
from dp_stats.catalogue.datasets import Dataset
from dp_stats.catalogue.languages import DatasetWords, DimensionWords, ReleaseWords, StatisticWords
from dp_stats.catalogue.releases import Release

_TEXTS = ("summary", "public_benefit", "theme", "subtheme", "keywords", "publisher")


def release_in(release: Release, language: str) -> Release:
    """A release as it reads in a language."""
    words = release.texts.languages.get(language)
    if words is None:
        return release

    def item(one: Any) -> Any:
        said = words.statistics.get(one.id)
        return _with(one, {"title": said.title, "unit": said.unit}) if said else one

    def titled(table: Any) -> Any:
        return _with(table, {"title": words.tables.get(table.id, "")})

    def dimension(spec: Any) -> Any:
        said = words.dimensions.get(spec.name)
        if said is None:
            return spec
        return _with(spec, {"title": said.title, "level_titles": {**spec.level_titles, **said.level_titles}})

    issues = tuple(
        words.known_issues[at] if at < len(words.known_issues) else issue
        for at, issue in enumerate(release.texts.known_issues)
    )
    practice = {name: text for name, text in words.practice.model_dump().items() if text.strip()}
    texts = _with(release.texts, {name: getattr(words, name) for name in _TEXTS})
    texts = texts.model_copy(update={"known_issues": issues, "practice": texts.practice.model_copy(update=practice)})
    return release.model_copy(
        update={
            "title": words.title or release.title,
            "texts": texts,
            "statistics": tuple(map(item, release.statistics)),
            "derived": tuple(map(item, release.derived)),
            "tables": tuple(map(titled, release.tables)),
            "across": tuple(
                titled(table).model_copy(update={"statistics": tuple(map(item, table.statistics))})
                for table in release.across
            ),
            "dimensions": tuple(map(dimension, release.dimensions)),
        }
    )


def dataset_in(dataset: Dataset, language: str) -> Dataset:
    """A dataset as it reads in a language."""
    words = dataset.languages.get(language)
    if words is None:
        return dataset
    return dataset.model_copy(update={name: text for name, text in words.model_dump().items() if text})


def names_in(codes: CodeList, level: str, language: str) -> dict[str, str]:
    """Code of a level → its name in a language, where the list has one.

    Args:
        level: a column of groups; ``code`` is the codes themselves, whose names stand in ``name_cy`` and the like.
    """
    column = f"name_{language}" if level == "code" else f"{level}_name_{language}"
    if column not in codes.header:
        return {}
    return {row[level]: row[column] for row in codes.rows if row[column]}


def unsaid(release: Release, dataset: Dataset, language: str) -> Iterator[str]:
    """What a release and its dataset do not say in a language, although they say it: paths such as ``texts.summary``."""
    words, own = release.texts.languages.get(language, ReleaseWords()), release.texts
    tables = {t.id: t.title for t in release.tables} | {t.id: t.title for t in release.across}
    statistics = {s.id: s.title for s in release.statistics} | {d.id: d.title for d in release.derived}
    statistics |= {s.id: s.title for t in release.across for s in t.statistics}
    said: Mapping[str, tuple[object, object]] = {
        "title": (release.title, words.title),
        **{name: (getattr(own, name), getattr(words, name)) for name in _TEXTS if name != "publisher"},
        **{
            f"practice.{name}": (text, getattr(words.practice, name))
            for name, text in own.practice.model_dump().items()
        },
        **{f"tables.{id}": (title, words.tables.get(id)) for id, title in tables.items()},
        **{
            f"statistics.{id}": (title, words.statistics.get(id, StatisticWords()).title)
            for id, title in statistics.items()
        },
        **{
            f"dimensions.{d.name}": (d.title, words.dimensions.get(d.name, DimensionWords()).title)
            for d in release.dimensions
        },
    }
    yield from (name for name, (here, there) in said.items() if here and not there)
    if len(words.known_issues) != len(own.known_issues):
        yield "known_issues"
    about = dataset.languages.get(language, DatasetWords())
    yield from (
        f"dataset.{name}" for name in DatasetWords.model_fields if getattr(dataset, name) and not getattr(about, name)
    )


def _with(model: Any, said: Mapping[str, Any]) -> Any:
    """A declaration with what is said of it, where that is not empty."""
    return model.model_copy(update={name: value for name, value in said.items() if value})
