"""Carry the public folder to where the public finds it: any file system that fsspec knows, by URL.

A target cannot switch folders in one step, so the order of uploads does it: editions first, each with its
checksums last; then what speaks of single releases; then every ``latest``; then the front page and the feeds.
Whoever follows a link from the front page finds everything that it promises.
"""

from __future__ import annotations

import json
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dp_stats import files
from dp_stats.editions import formats
from dp_stats.editions.latest import LATEST, folder_lock
from dp_stats.errors import PublishedError
from dp_stats.outlets.public_log import is_told
from dp_stats.transparency.leaves import HEADS, LOG

_PROOF = re.compile(r"r[1-9][0-9]*\.proof\.json")
_LOST_LOG = re.compile(r"(log|heads)[.][0-9a-f]{12}[.]jsonl")
MANIFEST = "manifest.json"
"""What the target holds: path → SHA-256 of every file, written last."""

for _kind, _ending in (
    ("application/ld+json", ".jsonld"),
    ("application/atom+xml", ".atom"),
    ("application/vnd.apache.parquet", ".parquet"),
    ("text/calendar", ".ics"),
    ("text/markdown", ".md"),
):
    mimetypes.add_type(_kind, _ending)


@dataclass(frozen=True)
class Uploaded:
    """What an upload did, as paths relative to the public folder, in the order in which it was done."""

    written: tuple[str, ...]
    deleted: tuple[str, ...]
    unchanged: int


def upload(
    public: Path, url: str, *, storage_options: Mapping[str, Any] | None = None, filesystem: Any = None
) -> Uploaded:
    """Bring a target up to date with the public folder; only what has changed is sent.

    Files of editions are never overwritten or deleted at the target, and its public log is only ever gone on with.

    Args:
        url: e.g. ``s3://bucket/statistics``, ``gs://…``, ``abfs://…``, ``file:///srv/www``, ``memory://site``.
        storage_options: what fsspec needs to get there, e.g. keys or an endpoint.
        filesystem: an fsspec file system to use instead, e.g. ``ObjectStoragePath(url).fs`` of an Airflow connection.

    Raises:
        PublishedError: the target cannot be reached, or it holds another edition under the same name, or a longer or other log.
    """
    try:
        remote, root = _open(url, storage_options, filesystem)
        with folder_lock(public):
            return _bring_up_to_date(public, remote, root, url)
    except PublishedError:
        raise
    except ImportError as error:
        raise PublishedError(f"Publishing to {url} needs one more package: {error}.") from error
    except Exception as error:  # every object store raises errors of its own
        raise PublishedError(
            f"Publishing to {url} failed ({type(error).__name__}). What was there before is still complete; "
            "check the address and the credentials, and publish again."
        ) from error


def _bring_up_to_date(public: Path, remote: Any, root: str, url: str) -> Uploaded:
    there = _manifest(remote, root) | _log_there(public, remote, root, url)
    here = {path.relative_to(public).as_posix(): path for path in public.rglob("*") if _is_public(path, public)}
    sums = {name: files.file_sha256(path) for name, path in here.items()}
    _refuse_changed_editions(sums, there, url)
    changed = sorted((name for name in here if there.get(name) != sums[name]), key=_order)
    for name in changed:
        _put(remote, here[name], f"{root}/{name}")
    stale = sorted(name for name in there.keys() - here.keys() if not _immutable(name))
    for name in stale:
        if remote.exists(f"{root}/{name}"):
            remote.rm_file(f"{root}/{name}")
    kept = {name: digest for name, digest in there.items() if _immutable(name)}
    if changed or stale:
        remote.pipe_file(f"{root}/{MANIFEST}", formats.json_bytes(dict(sorted((kept | sums).items()))))
    return Uploaded(tuple(changed), tuple(stale), len(here) - len(changed))


def _open(url: str, storage_options: Mapping[str, Any] | None, filesystem: Any) -> tuple[Any, str]:
    import fsspec

    if filesystem is not None:
        root = filesystem._strip_protocol(url)
        return filesystem, str(root).rstrip("/")
    remote, root = fsspec.core.url_to_fs(url, **dict(storage_options or {}))
    return remote, str(root).rstrip("/")


def _manifest(remote: Any, root: str) -> dict[str, str]:
    path = f"{root}/{MANIFEST}"
    remote.invalidate_cache()
    if not remote.exists(path):
        return {}
    found = json.loads(remote.cat_file(path))
    if not isinstance(found, dict):
        raise ValueError("not a manifest")
    return {str(name): str(digest) for name, digest in found.items()}


def _put(remote: Any, local: Path, path: str) -> None:
    """Send one file; object stores guess its media type from its name."""
    if "file" in (remote.protocol if isinstance(remote.protocol, tuple) else (remote.protocol,)):
        remote.makedirs(path.rpartition("/")[0], exist_ok=True)
        remote.put_file(str(local), f"{path}.part")
        remote.mv(f"{path}.part", path)
        return
    remote.put_file(str(local), path)


def _is_public(path: Path, public: Path) -> bool:
    relative = path.relative_to(public)
    return (
        path.is_file() and not any(part.startswith(".") for part in relative.parts) and relative.as_posix() != MANIFEST
    )


def _immutable(name: str) -> bool:
    """Whether a path never changes.

    It lies in an edition's folder, ``release/period/rN/…``, is its proof, ``release/period/rN.proof.json``, or the log of a
    ledger that was lost.
    """
    parts = name.split("/")
    if _LOST_LOG.fullmatch(name):
        return True
    if len(parts) == 3 and parts[0] != "api" and _PROOF.fullmatch(parts[2]):
        return True
    return len(parts) >= 4 and parts[2][:1] == "r" and parts[2][1:].isdigit() and parts[0] != "api"


def _refuse_changed_editions(sums: Mapping[str, str], there: Mapping[str, str], url: str) -> None:
    for name, digest in sums.items():
        if _immutable(name) and there.get(name, digest) != digest:
            edition = name.rpartition("/")[0] or name
            raise PublishedError(
                f"{url} holds another {edition} than this one, and a published edition never changes. "
                "Find out which is right (verify both), and publish the correction as a new revision."
            )


def _log_there(public: Path, remote: Any, root: str, url: str) -> dict[str, str]:
    """SHA-256 of the public log at the target as it is, whatever its manifest says.

    Raises:
        PublishedError: lines that readers have seen there would be taken out of the history.
    """
    there = {name: remote.cat_file(f"{root}/{name}") for name in (LOG, HEADS) if remote.exists(f"{root}/{name}")}
    if not is_told(public, log=there.get(LOG, b""), heads=there.get(HEADS, b"")):
        raise PublishedError(
            f"The public log at {url} does not go on in the one here: it is longer, or differs. Readers would see that history was "
            "rewritten, so nothing was sent. Find out which installation published there last, and publish from that one, or "
            "restore the ledger here from its newest backup."
        )
    return {name: files.sha256(content) for name, content in there.items()}


def _order(name: str) -> tuple[int, int, str]:
    """Editions, the public log, releases, ``latest``, and last what stands at the top; checksums after what they check.

    So whoever is shown a head finds the lines that it stands for, and whoever is shown an edition finds it in the log.
    """
    parts = name.split("/")
    if _immutable(name):
        rank = 0
    elif name in (LOG, HEADS):
        rank = 1
    elif len(parts) > 1 and parts[1] == LATEST:
        rank = 3
    elif len(parts) == 1:
        rank = 5 if name == "index.html" else 4
    else:
        rank = 2
    return rank, int(parts[-1] in (formats.CHECKSUMS, HEADS)), name
