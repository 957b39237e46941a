"""The DCAT catalogue, in which harvesters of open data look things up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dp_stats.editions.edition import Edition, utc
from dp_stats.editions.metadata import keywords
from dp_stats.outlets import openapi
from dp_stats.outlets.api import ROOT, path_of, topic_of
from dp_stats.texts.words import Texts

CONTEXT: dict[str, Any] = {
    "adms": "http://www.w3.org/ns/adms#",
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "spdx": "http://spdx.org/rdf/terms#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
LONGEST_TITLE = 65
_LANGUAGE = "http://publications.europa.eu/resource/authority/language/"
_MEDIA_TYPES = "https://www.iana.org/assignments/media-types/"
_FREQUENCY = {
    "day": "http://purl.org/cld/freq/daily",
    "week": "http://purl.org/cld/freq/weekly",
    "month": "http://purl.org/cld/freq/monthly",
    "year": "http://purl.org/cld/freq/annual",
}


def dcat(
    current: Sequence[Edition], *, base_url: str, texts: Texts, series: Mapping[str, Sequence[Edition]] | None = None
) -> dict[str, Any]:
    """``catalog.jsonld`` (DCAT-AP 3): one dataset per release with the downloads of its newest edition, in a series of all.

    Args:
        current: the newest edition of each release.
        texts: the language of the catalogue, and what it is called.
        series: release → its editions to use in order of time (default: the newest alone).
    """
    newest = max((e.published for e in current), default=None)
    publishers = list(dict.fromkeys(_publisher(e) for e in current))
    catalog: dict[str, Any] = {
        "@context": CONTEXT,
        "@id": f"{base_url}/catalog.jsonld",
        "@type": "dcat:Catalog",
        "dct:title": _text(short_title(texts("feed.title")), texts),
        "dct:description": _text(texts("dcat.description"), texts),
        "dct:publisher": _agent(publishers[0] if len(publishers) == 1 else texts("site.name")),
        "foaf:homepage": _typed_node(f"{base_url}/", "foaf:Document"),
        "dct:language": _typed_node(f"{_LANGUAGE}{texts('authority')}", "dct:LinguisticSystem"),
        "dcat:dataset": [
            _dataset(edition, base_url, texts, series.get(edition.release.id, ()) if series else ())
            for edition in current
        ],
        "dcat:service": _service(current, base_url, texts),
    }
    if newest is not None:
        catalog["dct:modified"] = _typed(utc(newest), "dateTime")
    return catalog


def dcat_in_each(
    said: Sequence[Sequence[Edition]],
    *,
    base_url: str,
    spoken: Sequence[Texts],
    series: Sequence[Mapping[str, Sequence[Edition]]],
) -> dict[str, Any]:
    """``dcat`` in the first language, with the words of each further one beside.

    Args:
        said: the newest edition of each release, in each language. series: of each, all to use, likewise.
    """
    first, *others = (
        dcat(newest, base_url=base_url, texts=texts, series=all_of)
        for newest, texts, all_of in zip(said, spoken, series, strict=True)
    )
    for other in others:
        first = _joined(first, other)
    return first


def _joined(one: Any, other: Any) -> Any:
    """Two descriptions that say the same in two languages, as one: words of each stand beside each other."""
    if isinstance(one, dict) and "@language" not in one and "dct:LinguisticSystem" not in one.values():
        return {name: _joined(value, other[name]) if name in other else value for name, value in one.items()}
    both = [*(one if isinstance(one, list) else [one]), *(other if isinstance(other, list) else [other])]
    if all(
        isinstance(word, dict) and ("@language" in word or "dct:LinguisticSystem" in word.values()) for word in both
    ):
        return [word for at, word in enumerate(both) if all(_value(word) != _value(before) for before in both[:at])]
    if isinstance(one, list):
        return [_joined(here, there) for here, there in zip(one, other, strict=True)]
    return one


def _value(word: Mapping[str, Any]) -> Any:
    return word.get("@value", word)


def _service(current: Sequence[Edition], base_url: str, texts: Texts) -> dict[str, Any]:
    """The API of plain files, which serves every dataset."""
    return {
        "@id": f"{base_url}/{ROOT}/#service",
        "@type": "dcat:DataService",
        "dct:title": _text(texts("openapi.title"), texts),
        "dct:description": _text(texts("openapi.about"), texts),
        "dcat:endpointURL": {"@id": f"{base_url}/{ROOT}/index.json"},
        "dcat:endpointDescription": {"@id": f"{base_url}/{openapi.PATH}"},
        "dcat:servesDataset": [{"@id": f"{base_url}/{edition.release.id}/#dataset"} for edition in current],
    }


def _dataset(edition: Edition, base_url: str, texts: Texts, series: Sequence[Edition] = ()) -> dict[str, Any]:
    """A release as its newest edition, in the series of all its editions."""
    home = f"{base_url}/{edition.release.id}/"
    described: dict[str, Any] = {
        "@id": f"{home}#dataset",
        "@type": "dcat:Dataset",
        "dct:identifier": edition.release.id,
        "dct:title": _text(short_title(edition.release.title), texts),
        **_about(edition, base_url, texts),
        "dct:issued": _typed(utc(edition.published), "dateTime"),
        "dct:temporal": _covered(edition, edition),
        "dcat:keyword": [_text(word, texts) for word in keywords(edition, texts)],
        "dcat:landingPage": _typed_node(f"{home}index.html", "foaf:Document"),
        "dcat:version": str(edition.revision.number),
        **({"adms:versionNotes": _text(edition.revision.reason, texts)} if edition.revision.kind != "first" else {}),
        "dcat:distribution": _distributions(edition, base_url, texts, home),
        **_licence(edition),
    }
    if series:
        described["dcat:inSeries"] = _series(series, base_url, texts)
    return described


def _series(editions: Sequence[Edition], base_url: str, texts: Texts) -> dict[str, Any]:
    """The series of a release with every edition in it, each in the revision to use; each is a dataset of the catalogue, too."""
    newest = editions[-1]
    name = f"{base_url}/{newest.release.id}/#series"
    members = []
    for at, edition in enumerate(editions):
        page = f"{base_url}/{edition.id}/"
        before = [{"@id": f"{base_url}/{editions[at - 1].id}/#dataset"}] if at else []
        members.append(
            {
                "@id": f"{page}#dataset",
                "@type": "dcat:Dataset",
                "@reverse": {"dcat:dataset": {"@id": f"{base_url}/catalog.jsonld"}},
                "dct:identifier": edition.id,
                "dct:title": _text(short_title(edition.title), texts),
                **_about(edition, base_url, texts),
                "dct:issued": _typed(utc(edition.published), "dateTime"),
                "dct:temporal": _covered(edition, edition),
                "dcat:landingPage": _typed_node(f"{page}index.html", "foaf:Document"),
                "dcat:version": str(edition.revision.number),
                "dcat:prev": before,
                "dcat:distribution": [
                    {"@id": one["@id"]} if edition is newest else one  # which stand with the release
                    for one in _distributions(edition, base_url, texts, page, short=edition is not newest)
                ],
                **_licence(edition),
            }
        )
    return {
        "@id": name,
        "@type": "dcat:DatasetSeries",
        "dct:title": _text(newest.release.title, texts),
        **_about(newest, base_url, texts),
        "dct:issued": _typed(utc(min(e.published for e in editions)), "dateTime"),
        "dct:modified": _typed(utc(max(e.published for e in editions)), "dateTime"),
        "dct:temporal": _covered(editions[0], newest),
        "@reverse": {"dcat:inSeries": members},
    }


def _about(edition: Edition, base_url: str, texts: Texts) -> dict[str, Any]:
    """What a dataset and a series say alike: description, publisher, language, place, theme, how often, and whom to ask."""
    release = edition.release
    described: dict[str, Any] = {
        "dct:description": _text(release.summary, texts),
        "dct:publisher": _agent(_publisher(edition)),
        "dct:language": _typed_node(f"{_LANGUAGE}{texts('authority')}", "dct:LinguisticSystem"),
        "dct:spatial": {"@type": "dct:Location", "skos:prefLabel": _text(edition.dataset.region, texts)},
    }
    if release.theme not in ("", release.title):  # which stands for a theme where none is declared
        described["dcat:theme"] = {
            "@id": f"{base_url}/{path_of(topic_of(edition)[:1])}/#theme",
            "@type": "skos:Concept",
            "skos:prefLabel": _text(release.theme, texts),
        }
    if release.period_kind in _FREQUENCY and release.schedule:
        described["dct:accrualPeriodicity"] = _typed_node(_FREQUENCY[release.period_kind], "dct:Frequency")
    if release.contact:
        described["dcat:contactPoint"] = {
            "@type": ["vcard:Kind", "vcard:Organization"],
            "vcard:fn": _publisher(edition),
            **({"vcard:hasEmail": {"@id": f"mailto:{release.contact}"}} if "@" in release.contact else {}),
        }
    return described


def _distributions(
    edition: Edition, base_url: str, texts: Texts, page: str, *, short: bool = False
) -> list[dict[str, Any]]:
    """The downloads of an edition; ``short``: of each table the CSV file alone."""
    return [
        {
            "@id": f"{base_url}/{edition.path}/{file.path}#distribution",
            "@type": "dcat:Distribution",
            "dct:title": _text(file.title, texts),
            "dcat:accessURL": {"@id": page},
            "dcat:downloadURL": {"@id": f"{base_url}/{edition.path}/{file.path}"},
            "dcat:mediaType": _typed_node(f"{_MEDIA_TYPES}{file.media_type}", "dct:MediaType"),
            "dcat:byteSize": _typed(str(file.bytes), "nonNegativeInteger"),
            "spdx:checksum": {
                "@type": "spdx:Checksum",
                "spdx:algorithm": _typed_node("spdx:checksumAlgorithm_sha256", "spdx:ChecksumAlgorithm"),
                "spdx:checksumValue": _typed(file.sha256, "hexBinary"),
            },
            **_licence(edition),
        }
        for table in edition.tables
        for file in table.files
        if not short or file.media_type == "text/csv"
    ]


def _covered(first: Edition, last: Edition) -> dict[str, Any]:
    return {
        "@type": "dct:PeriodOfTime",
        "dcat:startDate": _typed(first.period.start.isoformat(), "date"),
        "dcat:endDate": _typed(last.period.end.isoformat(), "date"),
    }


def _publisher(edition: Edition) -> str:
    return edition.release.publisher or edition.dataset.custodians[0].name


def _agent(name: str) -> dict[str, Any]:
    return {"@type": "foaf:Agent", "foaf:name": name}


def _typed_node(address: str, kind: str) -> dict[str, Any]:
    """A resource of which it is said what it is, so that a catalogue can be checked without looking it up."""
    return {"@id": address, "@type": kind}


def short_title(title: str) -> str:
    """A title of at most 65 characters, shortened between words."""
    if len(title) <= LONGEST_TITLE:
        return title
    short = title[: LONGEST_TITLE - 1]
    return short[: short.rfind(" ")].rstrip(" ,;:") + "…" if " " in short else short + "…"


def _licence(edition: Edition) -> dict[str, Any]:
    url = edition.release.licence_url
    return {"dct:license": _typed_node(url, "dct:LicenseDocument")} if url else {}


def _text(text: str, texts: Texts) -> dict[str, str]:
    return {"@value": text, "@language": texts.language}


def _typed(value: str, kind: str) -> dict[str, str]:
    return {"@value": value, "@type": f"xsd:{kind}"}
