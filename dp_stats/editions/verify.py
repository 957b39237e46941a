"""Find every published file that is missing, altered or extra."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dp_stats import files
from dp_stats.editions import formats
from dp_stats.editions.edition import editions
from dp_stats.editions.latest import LATEST


@dataclass(frozen=True, order=True)
class Fault:
    """One file that is not as it was published; ``path`` is relative to the public folder."""

    path: str
    kind: Literal["missing", "altered", "extra", "unreadable"]


def verify_public(
    public: Path, *, checksums: Mapping[str, str] | None = None, whole: Callable[[str], bool] = lambda path: True
) -> list[Fault]:
    """Compare every edition, and every ``latest``, with its checksums.

    Args:
        checksums: edition path (``release/period/rN``) → SHA-256 of its ``SHA256SUMS`` as the ledger has it; with
            it, an edition that was removed, or altered together with its checksums, is found too.
        whole: whether the files of an edition path are read; of others their names and the list of checksums are compared.

    Returns:
        The faults, by path; empty if all is well.
    """
    faults: list[Fault] = []
    folders = {folder.relative_to(public).as_posix(): folder for folder in editions(public)}
    # A folder that lost its edition.json is still an edition that was published.
    folders |= {p.parent.relative_to(public).as_posix(): p.parent for p in public.glob(f"*/*/r*/{formats.CHECKSUMS}")}
    for path, folder in folders.items():
        expected = checksums.get(path) if checksums is not None else None
        faults += _verify_folder(public, folder, expected, read=whole(path))
    for path in checksums or {}:
        if path not in folders:
            faults.append(Fault(path, "missing"))
    for copy in public.glob(f"*/{LATEST}"):
        faults += _verify_folder(public, copy, None)
    return sorted(faults)


def faults_of(folder: Path, checksum: str) -> list[str]:
    """What is not as it was published in an edition's folder, by the SHA-256 of its ``SHA256SUMS``: ``file: kind`` each."""
    return [f"{fault.path}: {fault.kind}" for fault in sorted(_verify_folder(folder, folder, checksum))]


def _verify_folder(public: Path, folder: Path, expected: str | None, *, read: bool = True) -> list[Fault]:
    def fault(name: str, kind: Literal["missing", "altered", "extra", "unreadable"]) -> Fault:
        return Fault((folder / name).relative_to(public).as_posix(), kind)

    sums = folder / formats.CHECKSUMS
    if not sums.is_file():
        return [fault(formats.CHECKSUMS, "missing")]
    content = sums.read_bytes()
    if expected is not None and files.sha256(content) != expected:
        return [fault(formats.CHECKSUMS, "altered")]
    listed: dict[str, str] = {}
    for line in content.decode("utf-8", errors="replace").splitlines():
        digest, separator, name = line.partition("  ")
        if not separator or len(digest) != 64:
            return [fault(formats.CHECKSUMS, "unreadable")]
        listed[name] = digest
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - {formats.CHECKSUMS}
    faults = [fault(name, "missing") for name in listed.keys() - there]
    faults += [fault(name, "extra") for name in there - listed.keys()]
    faults += [
        fault(name, "altered")
        for name in (listed.keys() & there if read else ())
        if files.file_sha256(folder / name) != listed[name]
    ]
    return faults
