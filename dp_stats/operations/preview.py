"""A preview: an edition of invented rows, the whole way to its pages, in a state folder of its own.

Declarations are those of the catalogue; sources, opt-out lists, suites and limits of intake are not, so that no row is read and
nothing is asked of the machines that hold them. The ledger is the preview's own: nobody's budget is touched.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from dp_stats.catalogue import Catalogue, Dataset, Release, load_catalogue, yaml
from dp_stats.catalogue.declared import LONGEST_NAME
from dp_stats.catalogue.due import last_ended
from dp_stats.catalogue.models import Agreement
from dp_stats.errors import CatalogueError
from dp_stats.pipeline import run_edition
from dp_stats.settings import PREFIX, Settings, load_settings

Fill = Callable[[Catalogue, str, str, Path, date, int], None]
"""Writes invented rows of a dataset's table (no name for the only one) to a file, of so many days from a first one."""

ANYTHING = {"unreadable": 1, "unknown": 1}
"""Limits of a delivery that nothing oversteps: invented rows say nothing about deliveries."""

KEPT = ("REPORTS", "LANGUAGE", "BASE_URL")
"""Settings that decide how pages look; all others are the preview's own."""


@dataclass(frozen=True)
class Preview:
    """A preview that was made: the folder of the site, its state folder, and the edition."""

    site: Path
    home: Path
    edition: str


def make_preview(release: str, *, period: str, folder: Path, fill: Fill, today: date, settings: Settings) -> Preview:
    """Publish an edition of invented rows in a new folder.

    Args:
        period: label of the period; nothing for the last one that has ended by ``today``, or the first one.

    Raises:
        CatalogueError: there is no such release or period, or the folder is there already.
    """
    folder = folder.absolute()
    if folder.exists():
        raise CatalogueError(f"{folder} is there already. Choose a new folder, or remove it.")
    catalogue = load_catalogue(settings.catalogue)
    declared = catalogue.release(release)
    chosen = catalogue.period(declared, period) if period else last_ended(declared, today)
    dataset = catalogue.dataset_of(declared)
    target = folder / "catalogue"
    shutil.copytree(catalogue.folder / "codes", target / "codes")
    for kind, name, content in (
        ("releases", release, _told(declared)),
        ("datasets", dataset.id, _invented(dataset, target)),
    ):
        (target / kind).mkdir()
        (target / kind / f"{name}.yaml").write_text(yaml.write(content), encoding="utf-8")
    if dataset.agreement is not None:
        (target / "agreements").mkdir()
        agreement = target / "agreements" / f"{dataset.agreement}.yaml"
        agreement.write_text(yaml.write(_open(catalogue.agreements[dataset.agreement])), encoding="utf-8")
    _suites(target / "expectations", dataset)
    for table in dataset.tables or ("",):
        days = (chosen.end - chosen.start).days + 1
        fill(catalogue, dataset.id, table, _file(target, "rows", table), chosen.start, days)
    home = folder / "home"
    kept = {f"{PREFIX}{name}": os.environ.get(f"{PREFIX}{name}", "") for name in KEPT}
    own = load_settings({**kept, f"{PREFIX}HOME": str(home), f"{PREFIX}CATALOGUE": str(target)})
    edition = f"{release}/{chosen.label}"
    run_edition(edition, settings=own)
    return Preview(own.public_dir, home, edition)


def _told(release: Release) -> dict[str, Any]:
    """The release as it is declared, which says on its pages that its rows are invented."""
    content: dict[str, Any] = release.model_dump(mode="json", by_alias=True, exclude_unset=True)
    texts = content["texts"]
    texts["known_issues"] = ["This is a preview. Every record is invented.", *texts.get("known_issues", ())]
    content.pop("organisations", None)
    return {**content, "title": f"Preview: {release.title}"[:LONGEST_NAME], "audience": "public"}


def _open(agreement: Agreement) -> dict[str, Any]:
    """The agreement as if it allowed to show everybody what is invented."""
    content: dict[str, Any] = agreement.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return {**content, "audiences": ["public", "restricted"]}


def _invented(dataset: Dataset, folder: Path) -> dict[str, Any]:
    """The dataset over invented rows, with empty opt-out lists and link tables, and no limit of its own on what is delivered."""
    content: dict[str, Any] = dataset.model_dump(mode="json", by_alias=True, exclude_unset=True)
    content |= {"engine": "duckdb", "intake": {**ANYTHING, "empty_period": True, "days_without_rows": None}}
    content = {name: value for name, value in content.items() if name not in ("work_schema", "work_folder")}
    for table, part in [*content.get("tables", {}).items(), *([] if dataset.tables else [("", content)])]:
        part["source"] = {"kind": "csv", "path": str(_file(folder, "rows", table))}
        if table:
            part["intake"] = ANYTHING
            part.pop("budget_of", None)
        if part.get("opt_outs"):
            part["opt_outs"]["source"] = _empty(_file(folder, "opt-outs", table), part["opt_outs"]["column"])
        if part.get("link"):
            part["link"]["source"] = _empty(_file(folder, "links", table), part["link"]["own"], part["link"]["person"])
    return content


def _empty(file: Path, *header: str) -> dict[str, str]:
    """A source that has these columns and no row."""
    with file.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened).writerow(header)
    return {"kind": "csv", "path": str(file)}


def _file(folder: Path, kind: str, table: str) -> Path:
    """A file of one of the tables, or of the only one, which has no name."""
    return folder / f"{kind}{table and f'-{table}'}.csv"


def _suites(folder: Path, dataset: Dataset) -> None:
    """Suites that invented rows pass: what is expected of real ones is nothing that they can show."""
    names: Iterable[str] = (dataset.expectations, *(table.expectations for table in dataset.tables.values()))
    folder.mkdir()
    for name in names:
        rows = {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 0}, "severity": "critical"}
        suite = {"name": Path(name).stem, "expectations": [rows]}
        (folder / name).write_text(json.dumps(suite), encoding="utf-8")
