"""Uses of records that are not for the public: read where no public server shows them, for the register of data uses alone.

Of a restricted edition the register tells who gets it, what for, from whose records, on what basis and at what cost, and the
checksum of its files, so that whoever is shown one can see that it is the one that was registered. No figure is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dp_stats import files
from dp_stats.editions import formats
from dp_stats.editions.edition import Edition, editions
from dp_stats.editions.isolated import noted


@dataclass(frozen=True)
class RestrictedUse:
    """The editions of a release that is not for the public, oldest first, each with the checksum of its ``SHA256SUMS``."""

    release: str
    editions: tuple[Edition, ...]
    checksums: Mapping[str, str] = field(default_factory=dict)


def restricted_uses(folder: Path | None, left_out: dict[str, str]) -> list[RestrictedUse]:
    """Every use that is not for the public, by its release's id.

    Args:
        folder: where these editions are; None where nobody asks. left_out: takes the releases that cannot be read, and why.
    """
    if folder is None or not folder.is_dir():
        return []
    found = []
    for id in sorted({path.parent.parent.name for path in editions(folder)}):
        with noted(left_out, id, isolate=True):
            places = editions(folder, release=id)
            read = sorted((Edition.load(place) for place in places), key=lambda e: (e.period.end, e.revision.number))
            sums = {
                place.relative_to(folder).as_posix(): files.file_sha256(place / formats.CHECKSUMS)
                for place in places
                if (place / formats.CHECKSUMS).is_file()
            }
            found.append(RestrictedUse(id, tuple(read), sums))
    return found
