"""Which version of the declarations a catalogue folder holds: the commit, where the folder lies in a Git repository."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from dp_stats.errors import CatalogueError

EDITED = "-dirty"
"""Ends the version of a folder in which declarations were edited since the commit, as ``git describe --dirty`` writes it."""


def version_of(folder: Path) -> str:
    """The commit that ``folder`` is at, as 40 hexadecimal digits, with ``-dirty`` after it where files in it differ from the
    commit's or are in none; empty where it lies in no repository, or Git cannot tell."""
    try:
        commit = git(folder, "rev-parse", "--verify", "--quiet", "HEAD").decode().strip()
        edited = git(folder, "status", "--porcelain", "--", ".")
        held = git(folder, "ls-tree", "--name-only", "HEAD", "--", ".")
    except CatalogueError:
        return ""
    if not held:  # a folder that happens to lie below a repository, which knows nothing of it
        return ""
    return commit + (EDITED if edited else "")


def git(folder: Path, *arguments: str) -> bytes:
    """What a command of Git prints; run in ``folder``, so that it concerns that folder's repository alone.

    Raises:
        CatalogueError: Git is not installed, or says no.
    """
    program = shutil.which("git")
    if program is None:
        raise CatalogueError("Git is not installed, and a revision cannot be read without it. Install Git.")
    command = [program, "-C", str(folder), *arguments]
    # A hook of another repository that runs this would name its own; a reader that only looks may not lock the index.
    environment = {name: value for name, value in os.environ.items() if name not in ("GIT_DIR", "GIT_WORK_TREE")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"
    try:
        return subprocess.run(command, check=True, capture_output=True, env=environment).stdout  # noqa: S603  no shell
    except subprocess.CalledProcessError as error:
        raise CatalogueError(f"git {arguments[0]} failed: {error.stderr.decode(errors='replace').strip()}") from error
    except OSError as error:
        raise CatalogueError(f"git {arguments[0]} could not be run: {type(error).__name__}.") from error
