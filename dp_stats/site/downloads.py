"""The files of an edition as a page offers them, and how to cite it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dp_stats.charts.reading import ReleaseView, Revision
from dp_stats.editions import formats as published_files
from dp_stats.editions.crate import doi_address
from dp_stats.editions.metadata import identifier
from dp_stats.editions.workbook import ENDING, NAME
from dp_stats.outlets.history import FOLDER, read_index
from dp_stats.site import privacy_panel
from dp_stats.site.frame import Site

FORMATS = {
    ".csv": "CSV",
    ".parquet": "Parquet",
    ".json": "JSON",
    ".xlsx": "Excel",
    ".ods": "OpenDocument",
    ".md": "Markdown",
    ".jsonld": "JSON-LD",
}


def files_of(site: Site, revision: Revision, *, prefix: str) -> list[dict[str, str]]:
    """Every file in an edition's folder with its size and checksum, its tables first."""
    listed = [
        {
            "href": prefix + f.path,
            "title": t.title,
            "format": FORMATS.get(Path(f.path).suffix, ""),
            "size": site.texts.file_size(f.bytes),
            "hash": f.sha256,
        }
        for t in revision.edition.tables
        for f in t.files
    ]
    known = {f.path for t in revision.edition.tables for f in t.files}
    for name, found in checksums_of(revision):
        path = revision.folder / name
        if name not in known and path.is_file():
            title = _title(site, revision, name)
            size = site.texts.file_size(path.stat().st_size)
            listed.append(
                {
                    "href": prefix + name,
                    "title": title,
                    "format": FORMATS.get(path.suffix, ""),
                    "size": size,
                    "hash": found,
                }
            )
    return listed


def _title(site: Site, revision: Revision, name: str) -> str:
    """What a file is that is no table; a workbook says of which table it is, and in which language where there are several."""
    texts, tables = site.texts, revision.edition.tables
    for tongue in site.tongues:
        ending = f"-{tongue.language}{ENDING}" if tongue.tree else ENDING
        suffix, said = ("_in", {"language": tongue.name}) if len(site.tongues) > 1 else ("", {})
        if name == f"{NAME}{ending}":
            return texts(f"files.workbook{suffix}", **said)
        for table in tables:
            if name == f"{NAME}-{table.id}{ending}":
                return texts(f"files.book_of{suffix}", table=table.title, **said)
    named: str = texts.get("files").get(name, name)
    return named


def checksums_of(revision: Revision) -> list[tuple[str, str]]:
    """(name, SHA-256) of each file of an edition, from its ``SHA256SUMS``."""
    sums = revision.folder / published_files.CHECKSUMS
    lines = sums.read_text(encoding="utf-8").splitlines() if sums.is_file() else []
    return [(name, found) for found, _, name in (line.partition("  ") for line in lines)]


def downloads(site: Site, revision: Revision, *, prefix: str) -> dict[str, Any]:
    """A row per table with its formats, the workbook if there is one, and the checksums to compare with."""
    rows: list[dict[str, Any]] = []
    names: list[str] = []
    for table in revision.edition.tables:
        rows.append(
            {
                "title": table.title,
                "rows": site.texts.plural("edition.rows", table.rows),
                "files": [
                    {
                        "href": prefix + f.path,
                        "format": FORMATS.get(Path(f.path).suffix, f.path),
                        "size": site.texts.file_size(f.bytes),
                    }
                    for f in table.files
                ],
            }
        )
        names += [f.path for f in table.files]
    sums = checksums_of(revision)
    for name, _ in sums:
        path = revision.folder / name
        if path.suffix in (".xlsx", ".ods") and path.is_file():
            size = site.texts.file_size(path.stat().st_size)
            rows.append(
                {
                    "title": _title(site, revision, name),
                    "rows": "",
                    "files": [{"href": prefix + name, "format": FORMATS[path.suffix], "size": size}],
                }
            )
            names.append(name)
    return {"rows": rows, "sums": "\n".join(f"{found}  {name}" for name, found in sums if name in names)}


def history(site: Site, view: ReleaseView, *, prefix: str = "") -> dict[str, Any] | None:
    """A row per table with the files that hold its whole series; None where there are none."""
    found = read_index(site.public / view.id / FOLDER)
    if not found:
        return None
    titles = {t.id: t.title for r in view.history for t in r.edition.tables}
    rows = [
        {
            "title": titles.get(table["id"], table["title"]),
            "rows": site.texts.plural("edition.rows", table["rows"]),
            "files": [
                {
                    "href": f"{prefix}{FOLDER}/{file['path']}",
                    "format": FORMATS[Path(file["path"]).suffix],
                    "size": site.texts.file_size(file["bytes"]),
                }
                for file in table["files"]
            ],
        }
        for table in found["tables"]
    ]
    return {"rows": rows, "sums": ""}


def check_command(site: Site) -> str:
    """The command with which a reader checks the site's history and spend."""
    return f"dp-stats verify {site.base_url or site.texts('budget.address')}"


def citation(site: Site, revision: Revision, page: str) -> str:
    """How to cite an edition, and what has become of it since; ``page`` is its address below the public folder."""
    texts, edition = site.texts, revision.edition
    said = texts(
        "edition.cite",
        publisher=edition.release.publisher or edition.dataset.custodians[0].name,
        year=edition.published.year,
        title=edition.title,
        revision=edition.revision.number,
        loss=privacy_panel.loss_text(texts, edition),
        address=doi_address(edition) or site.address(page) or f"urn:uuid:{identifier(edition)}",
    )
    if revision.status == "final":
        return said
    return texts(f"edition.cite_{revision.status}", citation=said, reason=revision.note, number=revision.superseded_by)
