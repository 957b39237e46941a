"""schema.org JSON-LD for each page, so that search engines for data find it."""

from __future__ import annotations

from typing import Any

from dp_stats.charts.reading import Revision
from dp_stats.editions.edition import Edition
from dp_stats.editions.metadata import schema_org
from dp_stats.site.frame import Site


def dataset(site: Site, revision: Revision, page: str) -> dict[str, Any]:
    """The edition as a Dataset that is described at ``page``."""
    edition = revision.edition
    later = f"{edition.id}/r{revision.superseded_by}" if revision.superseded_by else None
    status = revision.status if revision.status in ("superseded", "retracted", "provisional") else ""
    described = schema_org(edition, site.texts, base_url=site.base_url, status=status, superseded_by=later)
    described["url"] = site.address(page)
    return described


def part(
    site: Site, edition: Edition, *, name: str, description: str, page: str, place: str, download: str
) -> dict[str, Any]:
    """One area's share of a release."""
    publisher = edition.release.publisher or edition.dataset.custodians[0].name
    return {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "@id": site.address(page),
        "url": site.address(page),
        "name": name,
        "description": description,
        "creator": {"@type": "Organization", "name": publisher},
        "license": edition.release.licence_url or edition.release.licence,
        "spatialCoverage": {"@type": "Place", "name": place},
        "isPartOf": {
            "@type": "Dataset",
            "name": edition.release.title,
            "url": site.address(f"{edition.release.id}/index.html"),
        },
        "distribution": [
            {"@type": "DataDownload", "contentUrl": f"{site.base_url}/{download}", "encodingFormat": "text/csv"}
        ],
    }


def catalogue(site: Site, *, name: str, description: str) -> dict[str, Any]:
    """The front page: a catalogue of the releases."""
    return {
        "@context": "https://schema.org/",
        "@type": "DataCatalog",
        "name": name,
        "description": description,
        "url": site.address("index.html"),
        "dataset": [
            {
                "@type": "Dataset",
                "name": v.latest.edition.release.title,
                "description": v.latest.edition.release.summary,
                "url": site.address(f"{v.id}/index.html"),
                "license": v.latest.edition.release.licence_url or v.latest.edition.release.licence,
                "creator": {
                    "@type": "Organization",
                    "name": v.latest.edition.release.publisher or v.latest.edition.dataset.custodians[0].name,
                },
            }
            for v in site.releases
            if not v.renamed
        ],
    }


def page(site: Site, *, name: str, description: str, path: str) -> dict[str, Any]:
    """A page of text."""
    return {
        "@context": "https://schema.org/",
        "@type": "WebPage",
        "name": name,
        "description": description,
        "url": site.address(path),
        "inLanguage": site.texts.language,
    }
