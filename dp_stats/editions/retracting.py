"""Withdraw a published revision: record the decision beside it, and let ``latest`` show what remains."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from dp_stats import files
from dp_stats.editions import formats
from dp_stats.editions.latest import folder_lock, refresh_latest
from dp_stats.editions.revisions import RETRACTIONS, EditionStatus, Retraction, refresh_status, retractions
from dp_stats.errors import PublishedError


def retract(public: Path, edition: str, *, revision: int, reason: str, when: datetime) -> EditionStatus:
    """Record that a revision must not be used any more, and switch ``latest`` to what remains.

    The files stay, so that anyone who used them can see what was withdrawn and why. A second call changes nothing.

    Raises:
        PublishedError: there is no such revision, or no reason is given.
    """
    if not reason.strip():
        raise PublishedError(f"{edition}/r{revision}: a retraction needs a reason that the public can read.")
    release, _, period = edition.partition("/")
    if not (public / edition / f"r{revision}").is_dir():
        raise PublishedError(f"{edition}/r{revision} is not published here; nothing was retracted.")
    write_retractions(public, edition, [Retraction(revision=revision, reason=reason, when=when)])
    with folder_lock(public):
        state = refresh_status(public, release, period)
        refresh_latest(public, release)
    return state


def write_retractions(public: Path, edition: str, decided: Sequence[Retraction]) -> None:
    """Add decisions to the record beside an edition's revisions, in the order in which they were made.

    What the record holds already stands; a file that would be equal is left alone.
    """
    with folder_lock(public):
        known = {r.revision: r for r in retractions(public, edition)}
        whole = sorted(({r.revision: r for r in decided} | known).values(), key=lambda r: (r.when, r.revision))
        if whole:
            content = formats.json_bytes([r.model_dump(mode="json") for r in whole])
            files.replace_file(public / edition / RETRACTIONS, content, durable=True)
