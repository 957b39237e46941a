"""Files on disk: whole or not there at all, really on the disk where that counts, and one writer at a time."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from dp_stats.errors import BusyError, StorageError
from dp_stats.written import declared

LOCK_SECONDS = 1800.0
"""How long to wait for another writer: longer than the largest site takes to build and to upload."""


LONGEST_NAME = 255
"""The longest name of a file or folder on the disks there are, in bytes."""

Put = Callable[[Path, bytes], bool]
"""What puts a file in place: its path and content → whether anything changed (``replace_file``, ``could_replace``)."""

_SIGNS = ("=", "@", "\t", "\r", "\n", "＝", "＠")
_SIGNED_NUMBER = re.compile(r"[+-][0-9]*[.,]?[0-9]+ ?%?")


def is_formula(text: str) -> bool:
    """Whether a spreadsheet that opens a CSV file would run this field as a formula, or might."""
    return text.startswith(_SIGNS) or (text.startswith(("+", "-", "＋", "－")) and not _SIGNED_NUMBER.fullmatch(text))


def plain_text(text: str) -> str:
    """A field for a CSV file that people open: an apostrophe stands before what would run as a formula."""
    return f"'{text}" if is_formula(text) else text


_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.+")
_TAKEN = frozenset({"index", "con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))})
_LONGEST = 120


def is_printable(text: str) -> bool:
    """Whether a text can be stored and shown anywhere: no control signs, odd spaces, or marks that turn the writing."""
    return all(character.isprintable() or character in "\n\t" for character in text)


def require_printable(text: str) -> None:
    """Refuse a text that is not printable.

    Raises:
        ValueError: what to do, without the text's name.
    """
    if not is_printable(text):
        raise ValueError(
            "holds signs that cannot be seen, such as marks that turn the direction of writing. Type it anew, without them"
        )


def segment(code: str) -> str:
    """A code as one segment of a path and of an address, the same for no other code.

    Letters of ASCII, digits, ``-``, ``_``, ``+`` and ``.`` stand for themselves; any other byte of UTF-8 is ``~`` and two
    hexadecimal digits, and so is the first byte of what means something to a file system or to this site (a leading
    dot, ``index``, ``con``). A name of more than 120 signs ends in its checksum.
    """
    parts = [chr(byte) if byte in _PLAIN else f"~{byte:02X}" for byte in code.encode()]
    if parts and (code[0] == "." or code.partition(".")[0].casefold() in _TAKEN):
        parts[0] = f"~{ord(code[0]):02X}"
    name = "".join(parts) or "~"
    return name if len(name) <= _LONGEST else f"{name[:80]}~~{sha256(code.encode())[:32]}"


_REMEDIES = {
    errno.ENOSPC: "its disk is full. Free some space",
    errno.EDQUOT: "this user's share of its disk is used up. Free some space",
    errno.EROFS: "its disk is read-only. Choose another place, or have it mounted for writing",
    errno.EACCES: "this user may not. Have its rights changed, or choose another place",
    errno.EPERM: "this user may not. Have its rights changed, or choose another place",
    errno.EIO: "its disk fails. Check the disk and its mount",
    errno.ENAMETOOLONG: "its name is too long for this disk. Choose a shorter path",
    errno.ENOTDIR: "a file stands where a folder is needed. Move it away",
    errno.EEXIST: "something else stands there. Move it away",
    errno.EMFILE: "too many files are open. Raise this user's limit",
}


def storage_error(error: OSError) -> StorageError | None:
    """The error of a disk or folder in words, with its path; None for what is no failure of a disk."""
    remedy = _REMEDIES.get(error.errno or 0)
    if remedy is None:
        return None
    place = f"{error.filename}" if error.filename else "A file"
    return StorageError(f"{place} cannot be written or read: {remedy}, then run this step again.")


def sha256(content: bytes) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(content).hexdigest()


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_private(folder: Path) -> None:
    """Keep a folder and all that is in it to its owner, whatever the umask was."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o700 if path.is_dir() else 0o600)


def write_synced(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files into a folder and wait until they and their names are on the disk."""
    paths = [folder / name for name in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        path.write_bytes(content)
    for path in [*paths, folder]:  # after all writes, so that the disk can take them in one go
        sync(path)


@contextmanager
def replaced(target: Path, *, durable: bool = True, mode: int | None = None) -> Iterator[Path]:
    """A path beside ``target`` to write to; what was written takes the place of ``target`` whole, or is removed.

    A reader sees the old file or the new one. Each writer has a path of its own, so the last of two wins.

    Args:
        durable: wait until the new file and its name are on the disk; not needed for what can be made again.
        mode: permissions of the file from its first byte on (default: as the process creates files).
    """
    draft = _draft(target, mode)
    try:
        yield draft
        if mode is not None:
            draft.chmod(mode)  # whoever wrote may have put a file of its own there
        if durable:
            sync(draft)
        draft.replace(target)
        if durable:
            sync(target.parent)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def keep_only(folder: Path, names: Collection[str]) -> None:
    """Remove what nothing makes any more: all in a folder but these names and what is hidden."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name in names or path.name.startswith("."):
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def replace_file(path: Path, content: bytes, *, durable: bool = False) -> bool:
    """Put a file in place at once (see ``replaced``), with the folders above it; False if it was equal already."""
    try:
        if path.read_bytes() == content:
            return False
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    with replaced(path, durable=durable) as draft:
        draft.write_bytes(content)
    return True


def could_replace(path: Path, content: bytes) -> bool:
    """Stand in for ``replace_file`` where nothing is kept: a name that it could not write fails here, too.

    Raises:
        OSError: a part of the path, or the draft beside it, has a longer name than disks take.
    """
    if any(len(os.fsencode(part)) > LONGEST_NAME for part in (*path.parts, _draft(path, None).name)):
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(path))
    return bool(content)


@contextmanager
def created_once(target: Path, *, mode: int) -> Iterator[Path]:
    """A path beside ``target`` to write to, which becomes ``target`` unless another process was first.

    Of several that create the file at the same moment, one wins, and the others then find its file. It is on the
    disk before it bears its name, and has permissions ``mode`` from its first byte on.
    """
    draft = _draft(target, mode)
    try:
        yield draft
        sync(draft)
        with suppress(FileExistsError):
            os.link(draft, target)
        sync(target.parent)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def locked(path: Path, *, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold the lock file ``path`` against every other process on this machine until done; its folder is made.

    Raises:
        BusyError: another process has held it for all of ``seconds``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=seconds)
    try:
        lock.acquire()
    except Timeout:
        raise BusyError(
            f"Another process has been writing to {path.parent} for {declared(seconds)} seconds and still holds {path.name}. "
            "Wait until it has ended, or end it if it hangs; then run this step again."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _draft(target: Path, mode: int | None) -> Path:
    """A hidden path beside ``target`` that no other writer has; with a mode, an empty file is made there."""
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    if mode is not None:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
    return draft
