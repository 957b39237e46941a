"""The declarations of a catalogue as they stand in another revision of the repository that holds it."""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dp_stats.catalogue.version import git
from dp_stats.errors import CatalogueError


@contextmanager
def at_revision(folder: Path, revision: str) -> Iterator[Path]:
    """A copy of ``folder`` as it was committed at a revision of Git (a branch, a tag, a hash), gone at the end.

    Raises:
        CatalogueError: Git is missing, the folder is in no repository, or has no such revision.
    """
    if revision.startswith("-"):
        raise CatalogueError(f"'{revision}' is no revision. Name a branch, a tag or a commit, such as origin/main.")
    packed = git(folder, "archive", "--format=tar", f"{_commit(folder, revision)}")
    with tempfile.TemporaryDirectory(prefix="dp-stats-revision-") as name:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(name, filter="data")
        yield Path(name)


def _commit(folder: Path, revision: str) -> str:
    try:
        return (
            git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
            .decode()
            .strip()
        )
    except CatalogueError as error:
        if _is_repository(folder):
            raise CatalogueError(
                f"There is no revision '{revision}' here. Fetch it first (git fetch), or name another branch, tag or commit."
            ) from error
        raise CatalogueError(
            f"{folder} lies in no Git repository, so that there is nothing to compare with. Keep the catalogue under Git."
        ) from error


def _is_repository(folder: Path) -> bool:
    try:
        return git(folder, "rev-parse", "--is-inside-work-tree").strip() == b"true"
    except CatalogueError:
        return False
