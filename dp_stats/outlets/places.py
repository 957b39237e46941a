"""What readers find their area by, from the catalogue's public lists: postcodes, split into small files, and other names.

``assets/postcodes/<id>/<prefix>.json`` has the areas of all postcodes that begin alike, so a page never loads a nation's
postcodes, and whoever serves the files learns no more than the beginning. ``<release>/find.json`` says where they are, what
else areas are or were called, and where their boundaries are (``outlets.shapes``); pages are made from it (``site.find_page``,
``site.map_page``).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dp_stats import files
from dp_stats.catalogue.codes import CodeList
from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import Release
from dp_stats.catalogue.postcodes import Postcodes, areas_of_postcodes, read_postcodes
from dp_stats.outlets.declared_files import write_each
from dp_stats.outlets.forms import FoundBy, FoundPostcodes, PostcodesIndex
from dp_stats.outlets.shapes import refresh_shapes

FOLDER = "assets/postcodes"
FILE = "find.json"
ALSO = "also_known_as"
"""A column of code lists: other names that an area is found by, with semicolons between."""


def refresh_places(public: Path, catalogue: Catalogue) -> dict[str, str]:
    """Write what areas are found by of every published release; files that have not changed are left alone.

    Returns:
        Declarations of postcodes and of boundaries that are broken, and why: readers then search by name, and see no true map.
    """
    told, left_out = write_each(
        "postcodes", lambda: read_postcodes(catalogue.folder), lambda one: _write(public, one, catalogue)
    )
    kept = {Path(one["folder"]).name for one in told.values()}
    for folder in (public / FOLDER).glob("*/"):
        if folder.name not in kept:
            shutil.rmtree(folder)
    shapes, without = refresh_shapes(public, catalogue)
    left_out |= without
    for release in catalogue.releases.values():
        if release.audience == "public" and (public / release.id).is_dir():
            content = _of_release(release, catalogue, {"postcodes": told, "map": shapes})
            text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
            files.replace_file(public / release.id / FILE, f"{text}\n".encode())
    return left_out


def _write(public: Path, declared: Postcodes, catalogue: Catalogue) -> Mapping[str, Any]:
    """The files of a list of postcodes; where they are, as a page of a release needs it."""
    folder = public / FOLDER / declared.id
    source = catalogue.folder / "postcodes" / declared.file
    about = FoundPostcodes(
        folder=f"../{FOLDER}/{declared.id}",
        title=declared.title,
        source=declared.source,
        kept_back=declared.kept_back,
    ).model_dump()
    sha256 = files.file_sha256(source) if source.is_file() else ""
    sign = PostcodesIndex(**about, codes=declared.codes, sha256=sha256).model_dump()
    sealed = folder / "index.json"
    if sealed.is_file() and json.loads(sealed.read_text(encoding="utf-8")) == sign:
        return about
    areas = areas_of_postcodes(catalogue.folder, declared, catalogue.codes.values())
    if folder.is_dir():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for prefix, found in areas.items():
        (folder / f"{prefix}.json").write_text(json.dumps(found, separators=(",", ":")) + "\n", encoding="utf-8")
    files.replace_file(sealed, json.dumps(sign, ensure_ascii=False).encode())
    return about


def _of_release(
    release: Release, catalogue: Catalogue, told: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> dict[str, Any]:
    """By dimension of a code list, the names that areas have or had, and where its postcodes and its boundaries are."""
    found: dict[str, Any] = {}
    for spec in release.dimensions:
        codes = catalogue.code_list_of(release, spec.name)
        if codes is not None:
            there = {kind: lists[codes.id] for kind, lists in told.items() if codes.id in lists}
            by = FoundBy.model_validate({"names": _names(codes), **there})
            found[spec.name] = by.model_dump(mode="json", exclude_none=True)
    return found


def _names(codes: CodeList) -> dict[str, list[str]]:
    """Code → every name that a line of the list gives it, where that is more than one or the code is not always in force."""
    names: dict[str, list[str]] = {}
    for row in codes.rows:
        own = names.setdefault(row["code"], [])
        also = (name.strip() for name in row.get(ALSO, "").split(";"))
        own += [name for name in (row["name"], *also) if name and name not in own]
    dated = {"valid_to"} & set(codes.header)
    return {code: own for code, own in names.items() if len(own) > 1 or dated}
