"""Publish an edition to a CKAN data portal: one dataset per release, one resource per file.

Uses the documented action API (``package_show``, ``package_create``, ``package_patch``, ``resource_patch``)
through ``ckanapi``. A dataset's resources change in one call, so a reader never sees half an edition.
"""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

from dp_stats.editions.edition import Edition, FileFacts
from dp_stats.editions.latest import newest
from dp_stats.editions.metadata import identifier, keywords, version
from dp_stats.editions.privacy_record import for_programs
from dp_stats.errors import PublishedError
from dp_stats.settings import Settings
from dp_stats.texts.words import Texts

_LICENCES = {"OGL-UK-3.0": "uk-ogl", "CC-BY-4.0": "cc-by", "CC0-1.0": "cc-zero"}
_FORMATS = {"text/csv": "CSV", "application/vnd.apache.parquet": "Parquet"}


def register_newest(release: str, settings: Settings) -> None:
    """Let the portal show the newest edition of a release, where a portal is set.

    Raises:
        PublishedError: its key is missing, it refuses, or it cannot be reached.
    """
    folder = newest(settings.public_dir, release) if settings.ckan_url else None
    if folder is None:
        return
    edition = Edition.load(folder)
    if not settings.ckan_key:
        raise PublishedError(
            f"{edition.id} is published; for CKAN, set {settings.ckan_key_env} to its API key and publish again."
        )
    publish_to_ckan(
        edition,
        address=settings.ckan_url,
        api_key=settings.ckan_key,
        organisation=settings.ckan_organisation,
        base_url=settings.base_url,
        texts=Texts.of(settings),
    )


def publish_to_ckan(
    edition: Edition,
    *,
    address: str,
    api_key: str,
    organisation: str,
    base_url: str,
    texts: Texts,
    upload_from: Path | None = None,
) -> str:
    """Create or update the CKAN dataset of a release with the files of an edition.

    Args:
        address: of the CKAN site. organisation: name or id of the owning organisation.
        base_url: address of the public folder, which resources link to.
        upload_from: an edition's folder; if given, its files are also stored in CKAN.

    Returns:
        The id of the dataset in CKAN.

    Raises:
        PublishedError: CKAN refuses, or cannot be reached.
    """
    import requests
    from ckanapi import RemoteCKAN
    from ckanapi.errors import CKANAPIError, NotFound

    try:
        with RemoteCKAN(address, apikey=api_key) as portal:
            try:
                there: dict[str, Any] | None = portal.call_action("package_show", {"id": edition.release.id})
            except NotFound:
                there = None
            package = package_of(edition, organisation=organisation, base_url=base_url, texts=texts)
            known = {r["name"]: r["id"] for r in (there or {}).get("resources", [])}
            for resource in package["resources"]:
                if resource["name"] in known:
                    resource["id"] = known[resource["name"]]
            if there is None:
                stored = portal.call_action("package_create", package)
            else:
                stored = portal.call_action("package_patch", {"id": there["id"], **package})
            if upload_from is not None:
                ids = {r["name"]: r["id"] for r in stored["resources"]}
                for file in _files(edition):
                    with (upload_from / file.path).open("rb") as content:
                        portal.call_action(
                            "resource_patch", {"id": ids[file.title]}, files={"upload": (file.path, content)}
                        )
            return str(stored["id"])
    except (CKANAPIError, requests.RequestException, OSError) as error:
        raise PublishedError(
            f"CKAN at {address} did not take {edition.path} ({type(error).__name__}). Check the address, the key, "
            "and that it may edit datasets of the organisation; then publish again."
        ) from error


def package_of(edition: Edition, *, organisation: str, base_url: str, texts: Texts) -> dict[str, Any]:
    """The dataset as CKAN's ``package_create`` wants it."""
    release = edition.release
    return {
        "name": release.id,
        "title": release.title,
        "notes": release.summary,
        "owner_org": organisation,
        "url": f"{base_url}/{release.id}/index.html",
        "version": f"{edition.period.label} {version(edition)}",
        "license_id": _LICENCES.get(release.licence, "notspecified"),
        "author": release.publisher or edition.dataset.custodians[0].name,
        "maintainer_email": release.contact if "@" in release.contact else "",
        "tags": [{"name": tag} for tag in dict.fromkeys(map(_tag, keywords(edition, texts))) if tag],
        "extras": [
            {"key": "edition", "value": edition.path},
            {"key": "identifier", "value": identifier(edition)},
            {"key": "temporal_coverage", "value": f"{edition.period.start}/{edition.period.end}"},
            {"key": "privacy_unit", "value": _unit(edition, texts)},
            {"key": "epsilon", "value": for_programs(Fraction(edition.guarantee.epsilon))},
            {"key": "delta", "value": for_programs(edition.guarantee.delta)},
        ],
        "resources": [
            {
                "name": file.title,
                "url": f"{base_url}/{edition.path}/{file.path}",
                "format": _FORMATS.get(file.media_type, ""),
                "mimetype": file.media_type,
                "size": file.bytes,
                "hash": file.sha256,
            }
            for file in _files(edition)
        ],
    }


def _unit(edition: Edition, texts: Texts) -> str:
    return texts("use.unit", unit=edition.guarantee.unit, per=texts(f"per.{edition.guarantee.per}"))


def _files(edition: Edition) -> list[FileFacts]:
    return [file for table in edition.tables for file in table.files]


def _tag(word: str) -> str:
    """A word as CKAN's rules for tags allow it: letters, digits, spaces and ``-_.``, 2 to 100 characters."""
    plain = " ".join(re.sub(r"[^\w .-]+", " ", word).split())[:100]
    return plain if len(plain) >= 2 else ""
