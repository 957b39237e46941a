"""A snapshot is bytes, not a name: kept under a name of its content, and copied aside for the run that measures it.

Two attempts at an edition share a folder, and each pull puts its own rows under the same name. Whoever asks several
queries of that name may be answered from two snapshots, and one person's bound would hold in each but not in both.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dp_stats.errors import SourceError
from dp_stats.files import sync
from dp_stats.secure.secret import keyed_digest, load_key
from dp_stats.secure.spill import spill_folder
from dp_stats.secure.staging import PRIVATE_FILE
from dp_stats.settings import Settings


def keep(draft: Path, target: Path, *, secure: Path) -> str:
    """Put a whole snapshot in place, under ``target`` and under its keyed digest.

    Returns:
        HMAC-SHA-256 of the edition's folder and the bytes, under this installation's secret key.
    """
    draft.chmod(PRIVATE_FILE)
    sync(draft)
    digest = keyed_digest(draft, load_key(secure), about=_about(target, secure))
    with suppress(FileExistsError):  # the same bytes again
        os.link(draft, target.with_name(f"{digest}.parquet"))
    draft.replace(target)
    sync(target.parent)
    return digest


@contextmanager
def pinned(snapshot: Path, *, settings: Settings) -> Iterator[Path]:
    """A private copy of the bytes that the snapshot's name stands for now; it is gone when the block ends.

    Raises:
        SourceError: there is no snapshot, or its bytes are not those of any that was pulled.
    """
    with spill_folder(settings.secure) as folder:
        copy = folder / "snapshot.parquet"
        try:
            shutil.copyfile(snapshot, copy)
        except FileNotFoundError:
            raise SourceError("The snapshot of rows is missing. Run the pull step again.") from None
        copy.chmod(PRIVATE_FILE)
        digest = keyed_digest(copy, load_key(settings.secure), about=_about(snapshot, settings.secure))
        if not snapshot.with_name(f"{digest}.parquet").exists():
            raise SourceError(
                "The snapshot of rows is not as the pull step wrote it: its bytes have another digest. Nothing was drawn. "
                "Find out who writes to the secure store, then run the pull step again."
            )
        yield copy


def _about(snapshot: Path, secure: Path) -> str:
    return str(snapshot.parent.relative_to(secure))
