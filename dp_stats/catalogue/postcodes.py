"""Where each postcode lies, as a public list that an agency supplies, so that readers find their area by it.

``postcodes/NAME.yaml`` names a CSV file beside it with the columns ``postcode`` and ``code``, and the code list that its codes
are from. It is split by the first part of the postcode when the site is built: a page loads one such part, and the server learns
no more than that.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from sys import intern

from pydantic import Field

from dp_stats.catalogue.codes import CodeList, list_called
from dp_stats.catalogue.declared import Model, Name, Slug
from dp_stats.catalogue.load import read_model
from dp_stats.catalogue.part import declarations
from dp_stats.errors import CatalogueError

_SIGNS = re.compile(r"[^0-9A-Z]")
LONGEST = 12


class Postcodes(Model):
    """A public list of postcodes and the area that each lies in."""

    id: Slug = Field(description="Name of the file without `.yaml`.", examples=["uk-postcodes"])
    title: Name = Field(description="What readers are told it is.", examples=["ONS Postcode Directory, November 2026"])
    source: str = Field(
        "", description="Where it comes from; readers are led there.", examples=["https://geoportal.statistics.gov.uk"]
    )
    codes: Slug = Field(description="The code list that its codes are from.", examples=["lad19"])
    file: str = Field(
        pattern=r"^[A-Za-z0-9_.-]+\.csv$",
        description="The CSV file beside this one, with the columns `postcode` and `code`.",
        examples=["uk-postcodes.csv"],
    )
    kept_back: int = Field(
        3,
        ge=1,
        le=LONGEST - 1,
        description="How many signs at the end of a postcode stay on the reader's device: the server learns the rest.",
        examples=[3],
    )

    def split(self, postcode: str) -> tuple[str, str]:
        """What the server learns of a written postcode, and what stays on the reader's device."""
        plain = _SIGNS.sub("", postcode.upper())
        return plain[: -self.kept_back], plain[-self.kept_back :]


def read_postcodes(folder: Path) -> Iterator[Postcodes]:
    """What is declared in ``folder/postcodes``.

    Raises:
        CatalogueError: a file is not what it should be.
    """
    for path in declarations(folder / "postcodes"):
        yield read_model(path, Postcodes)


def areas_of_postcodes(
    folder: Path, declared: Postcodes, lists: Collection[CodeList]
) -> dict[str, dict[str, list[str]]]:
    """Prefix → code → the ends of its postcodes.

    Raises:
        CatalogueError: the list or the file is missing, or a line has another code or is no postcode.
    """
    codes = list_called(declared.codes, lists, where=f"postcodes/{declared.id}.yaml")
    path, known = folder / "postcodes" / declared.file, {code: code for code in codes.codes}
    found: dict[str, dict[str, str]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            for number, (written, code) in enumerate(_rows(lines, path.name), start=2):
                prefix, rest = declared.split(written)
                if not prefix or len(prefix) + len(rest) > LONGEST:
                    raise CatalogueError(
                        f"{path.name}, line {number}: 'postcode' must have {declared.kept_back + 1} to {LONGEST} letters and "
                        "digits. Mend the line, or declare another 'kept_back'."
                    )
                if code not in known:
                    raise CatalogueError(
                        f"{path.name}, line {number}: '{code}' is no code of codes/{declared.codes}.csv. Mend the line."
                    )
                # A nation has two million postcodes: each is kept once, as words that many share.
                if found.setdefault(prefix, {}).setdefault(intern(rest), known[code]) != code:
                    raise CatalogueError(
                        f"{path.name}, line {number}: this postcode stands above with another code. Keep one."
                    )
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{path}: the list of postcodes cannot be read. Put a CSV file in UTF-8 there.") from error
    return {prefix: _by_code(ends) for prefix, ends in sorted(found.items())}


def _rows(lines: Iterable[str], name: str) -> Iterator[tuple[str, str]]:
    """The postcode and the code of each line; empty where the line has none."""
    rows = csv.reader(lines)
    head = next(rows, [])
    if missing := sorted({"postcode", "code"} - set(head)):
        raise CatalogueError(
            f"{name}: there is no column '{missing[0]}'. Give the columns these names: postcode, code."
        )
    at = [head.index(column) for column in ("postcode", "code")]
    for row in rows:
        if row:
            postcode, code = (row[column] if column < len(row) else "" for column in at)
            yield postcode, code.strip()


def _by_code(ends: Mapping[str, str]) -> dict[str, list[str]]:
    """Code → the ends of its postcodes, in order."""
    areas: dict[str, list[str]] = {}
    for end, code in sorted(ends.items()):
        areas.setdefault(code, []).append(end)
    return dict(sorted(areas.items()))
