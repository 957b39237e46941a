"""What the publisher declares of the site's accessibility, put where its statement is made from it: ``accessibility.json``."""

from __future__ import annotations

from pathlib import Path

from dp_stats import files
from dp_stats.catalogue.accessibility import Accessibility, read_accessibility
from dp_stats.catalogue.load import Catalogue
from dp_stats.errors import CatalogueError

FILE = "accessibility.json"


def refresh_statement(public: Path, catalogue: Catalogue) -> dict[str, str]:
    """Write what is declared now, or remove what is declared no more; a broken declaration leaves what was there.

    Returns:
        The declaration that is broken, and why.
    """
    path = public / FILE
    try:
        declared = read_accessibility(catalogue.folder)
    except CatalogueError as error:
        return {"accessibility": str(error)}
    if declared is None:
        path.unlink(missing_ok=True)
    else:
        files.replace_file(path, f"{declared.model_dump_json(indent=1)}\n".encode())
    return {}


def declared_statement(public: Path) -> Accessibility | None:
    """What is declared of the site in a public folder."""
    path = public / FILE
    return Accessibility.model_validate_json(path.read_bytes()) if path.is_file() else None
