"""Metadata that other programs read: Data Package, CSV on the Web and schema.org, from one edition."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from dp_stats.editions.edition import ColumnFacts, Edition, FileFacts, TableFacts, utc
from dp_stats.editions.provisional import provisional_said
from dp_stats.editions.truncated import said_beside
from dp_stats.texts.words import Texts

DATA_PACKAGE = "datapackage.json"

_FRICTIONLESS_TYPES = {"string": "string", "integer": "integer", "number": "number", "date": "date"}
_CSVW_TYPES = {"string": "string", "integer": "integer", "number": "number", "date": "date"}


def identifier(edition: Edition) -> str:
    """A UUID that is the same wherever the edition is published."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"dp-stats:{edition.path}"))


def version(edition: Edition) -> str:
    """The revision as a semantic version."""
    return f"{edition.revision.number}.0.0"


def keywords(edition: Edition, texts: Texts) -> list[str]:
    """The declared keywords and the one that every release has."""
    return [*edition.release.keywords, texts("metadata.keyword")]


def _summary(edition: Edition, statistics: Sequence[str], texts: Texts) -> str:
    """What is published, whether it is provisional, and which rows are missing from these statistics."""
    said = (edition.release.summary, provisional_said(edition), said_beside(edition, statistics, texts))
    return " ".join(text for text in said if text).rstrip()


def data_package(edition: Edition, texts: Texts) -> dict[str, Any]:
    """``datapackage.json``, version 2 of the Data Package standard."""
    licence: dict[str, Any] = {"name": edition.release.licence, "title": edition.release.licence_title}
    if edition.release.licence_url:
        licence["path"] = edition.release.licence_url
    contributors: list[dict[str, Any]] = [
        {"title": c.name, "roles": ["dataCustodian"]} | ({"email": c.email} if c.email else {})
        for c in edition.dataset.custodians
    ]
    if edition.release.publisher:
        contributors.insert(0, {"title": edition.release.publisher, "roles": ["publisher"]})
    return {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": f"{edition.release.id}-{edition.period.label.lower()}",
        "id": identifier(edition),
        "title": edition.title,
        "description": _summary(edition, [s.id for s in edition.statistics], texts),
        "version": version(edition),
        "created": utc(edition.published),
        "keywords": keywords(edition, texts),
        "licenses": [licence],
        "contributors": contributors,
        "sources": [{"title": edition.dataset.title}],
        "resources": [_resource(edition, table, texts) for table in edition.tables],
    }


def _resource(edition: Edition, table: TableFacts, texts: Texts) -> dict[str, Any]:
    file = table.file(".csv")
    return {
        "name": table.id,
        "type": "table",
        "path": file.path,
        "title": table.title,
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "bytes": file.bytes,
        "hash": f"sha256:{file.sha256}",
        "dialect": {"delimiter": ",", "lineTerminator": "\r\n", "quoteChar": '"', "doubleQuote": True},
        "schema": {
            "$schema": "https://datapackage.org/profiles/2.0/tableschema.json",
            "fields": [_field(column, edition.marks, texts) for column in table.columns],
            "primaryKey": [c.name for c in table.columns if c.key],
            "missingValues": [{"value": "", "label": texts("column.missing")}],
        },
    }


def _field(column: ColumnFacts, possible: Sequence[str], texts: Texts) -> dict[str, Any]:
    field: dict[str, Any] = {
        "name": column.name,
        "type": _FRICTIONLESS_TYPES[column.type],
        "title": column.title,
        "description": column.description,
    }
    if column.required:
        field["constraints"] = {"required": True}
    if column.name == "status":
        known = [(mark, name, meaning) for mark in possible for name, meaning in texts.status(mark)]
        marks = "; ".join(texts("metadata.mark", mark=m, name=n, meaning=meaning) for m, n, meaning in known)
        field["description"] = texts("column.status_marks", text=column.description, marks=marks)
        field["marks"] = {mark: f"{name}: {meaning}" for mark, name, meaning in known}
    return field


def csvw(edition: Edition, table: TableFacts, texts: Texts) -> dict[str, Any]:
    """``<table>.csv-metadata.json``: CSV on the Web metadata of one table (W3C Recommendation, 2015)."""
    description: dict[str, Any] = {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": texts.language}],
        "url": f"{table.id}.csv",
        "dc:title": texts("metadata.table", table=table.title, period=edition.period.text),
        "dc:description": _summary(edition, table.statistics, texts),
        "dc:issued": {"@value": utc(edition.published), "@type": "xsd:dateTime"},
        "dc:identifier": identifier(edition),
        "dialect": {"header": True, "encoding": "utf-8"},
        "tableSchema": {
            "columns": [_csvw_column(column) for column in table.columns],
            "primaryKey": [c.name for c in table.columns if c.key],
        },
    }
    if edition.release.licence_url:
        description["dc:license"] = {"@id": edition.release.licence_url}
    return description


def csvw_in_each(id: str, said: Sequence[tuple[Edition, Texts]]) -> dict[str, Any]:
    """``csvw`` of a table in the first language, with titles and descriptions in the others beside."""
    described, *others = (csvw(edition, edition.table(id), texts) for edition, texts in said)
    for other, (_, texts) in zip(others, said[1:], strict=True):
        _join(described, other, said[0][1].language, texts.language)
        columns = zip(described["tableSchema"]["columns"], other["tableSchema"]["columns"], strict=True)
        for own, theirs in columns:
            _join(own, theirs, said[0][1].language, texts.language)
    return described


def _join(described: dict[str, Any], other: Mapping[str, Any], own: str, theirs: str) -> None:
    """Put the words of another language beside those that stand there, each with its language (JSON-LD)."""
    for name in ("dc:title", "dc:description"):
        here = described[name]
        words = here if isinstance(here, list) else [{"@value": here, "@language": own}]
        described[name] = [*words, {"@value": other[name], "@language": theirs}]


def _csvw_column(column: ColumnFacts) -> dict[str, Any]:
    return {
        "name": column.name,
        "titles": column.name,
        "dc:title": column.title,
        "dc:description": column.description,
        "datatype": _CSVW_TYPES[column.type],
        "required": column.required,
    }


def schema_org(
    edition: Edition, texts: Texts, *, base_url: str, status: str = "", superseded_by: str | None = None
) -> dict[str, Any]:
    """A schema.org Dataset, to stand in a page as JSON-LD.

    Args:
        base_url: address of the public folder, without a slash at the end.
        status: what has become of the edition since, e.g. ``retracted``.
        superseded_by: path of the edition that took its place.
    """
    home = f"{base_url}/{edition.path}"
    publisher = edition.release.publisher or edition.dataset.custodians[0].name
    described: dict[str, Any] = {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "@id": f"{home}/",
        "name": edition.title,
        "description": texts("metadata.described", summary=edition.release.summary),
        "inLanguage": texts.language,
        "url": f"{base_url}/{edition.id}/index.html",
        "identifier": f"https://doi.org/{edition.release.doi}"
        if edition.release.doi
        else f"urn:uuid:{identifier(edition)}",
        "version": version(edition),
        "creator": {"@type": "Organization", "name": publisher},
        "publisher": {"@type": "Organization", "name": publisher},
        "license": edition.release.licence_url or edition.release.licence,
        "isAccessibleForFree": edition.release.audience == "public",
        "dateCreated": edition.published.date().isoformat(),
        "datePublished": utc(edition.published),
        "temporalCoverage": f"{edition.period.start}/{edition.period.end}",
        "spatialCoverage": {"@type": "Place", "name": edition.dataset.region},
        "keywords": keywords(edition, texts),
        "measurementTechnique": texts("metadata.technique"),
        "variableMeasured": [_variable(edition, s.id) for s in edition.statistics],
        "distribution": [_download(file, home) for table in edition.tables for file in table.files],
        "isPartOf": {"@type": "DataCatalog", "url": f"{base_url}/catalog.jsonld"},
    }
    if status:
        described["creativeWorkStatus"] = status
    if superseded_by:
        described["supersededBy"] = {"@type": "Dataset", "@id": f"{base_url}/{superseded_by}/"}
    return described


def _variable(edition: Edition, id: str) -> dict[str, Any]:
    statistic = edition.statistic(id)
    variable = {
        "@type": "PropertyValue",
        "name": statistic.title,
        "propertyID": id,
        "description": statistic.description,
    }
    return variable | ({"unitText": statistic.unit} if statistic.unit else {})


def _download(file: FileFacts, home: str) -> dict[str, Any]:
    return {
        "@type": "DataDownload",
        "name": file.title,
        "contentUrl": f"{home}/{file.path}",
        "encodingFormat": file.media_type,
        "contentSize": f"{file.bytes} B",
        "sha256": file.sha256,
    }
