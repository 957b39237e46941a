"""An edition as a research object: ``ro-crate-metadata.json`` after RO-Crate 1.1, for archives and repositories."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from dp_stats.editions.edition import Edition, utc
from dp_stats.editions.metadata import identifier, keywords, version
from dp_stats.texts.words import Texts

FILE_NAME = "ro-crate-metadata.json"
_CONTEXT = "https://w3id.org/ro/crate/1.1/context"
_VERSION = "https://w3id.org/ro/crate/1.1"
MEDIA_TYPES = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".md": "text/markdown",
    ".parquet": "application/vnd.apache.parquet",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def crate(edition: Edition, contents: Mapping[str, bytes], texts: Texts) -> dict[str, Any]:
    """The edition's folder as a crate: what it is, who published it when under which licence, and every file in it.

    Args:
        contents: the files of the folder but for this one and the checksums: name → content.
    """
    release = edition.release
    publisher = release.publisher or edition.dataset.custodians[0].name
    licence = release.licence_url or f"https://spdx.org/licenses/{release.licence}"
    titles = {file.path: file.title for table in edition.tables for file in table.files}
    titles |= {name: title for name, title in texts.get("files").items() if name in contents}
    known = [f"urn:uuid:{identifier(edition)}", *([doi_address(edition)] if release.doi else [])]
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": edition.title,
        "description": texts("metadata.described", summary=release.summary),
        "identifier": known[-1] if release.doi else known[0],
        "version": version(edition),
        "datePublished": utc(edition.published),
        "inLanguage": texts.language,
        "license": {"@id": licence},
        "publisher": {"@id": "#publisher"},
        "author": {"@id": "#publisher"},
        "keywords": keywords(edition, texts),
        "temporalCoverage": f"{edition.period.start}/{edition.period.end}",
        "spatialCoverage": {"@id": "#place"},
        "measurementTechnique": texts("metadata.technique"),
        "hasPart": [{"@id": name} for name in sorted(contents)],
    }
    if release.doi:
        root["cite-as"] = doi_address(edition)
    return {
        "@context": _CONTEXT,
        "@graph": [
            {
                "@id": FILE_NAME,
                "@type": "CreativeWork",
                "conformsTo": {"@id": _VERSION},
                "about": {"@id": "./"},
            },
            root,
            *(_file(name, content, titles.get(name, name)) for name, content in sorted(contents.items())),
            {"@id": licence, "@type": "CreativeWork", "name": release.licence_title, "identifier": release.licence},
            {"@id": "#publisher", "@type": "Organization", "name": publisher},
            {"@id": "#place", "@type": "Place", "name": edition.dataset.region},
        ],
    }


def doi_address(edition: Edition) -> str:
    """The address of an edition's DOI; empty where none is declared."""
    return f"https://doi.org/{edition.release.doi}" if edition.release.doi else ""


def _file(name: str, content: bytes, title: str) -> dict[str, Any]:
    form = MEDIA_TYPES.get(PurePosixPath(name).suffix)
    return {
        "@id": name,
        "@type": "File",
        "name": title,
        "contentSize": str(len(content)),
        **({"encodingFormat": form} if form else {}),
    }
