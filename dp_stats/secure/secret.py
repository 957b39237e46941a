"""The secret key of this installation, and digests of secret content made with it.

A plain hash of secret rows is a leak: whoever guesses the rows can confirm the guess. A digest keyed with
32 random bytes that never leave the secure store tells nothing without the key.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path

from dp_stats.errors import DpStatsError
from dp_stats.files import created_once
from dp_stats.secure.staging import PRIVATE_FILE, secure_folder

KEY_BYTES = 32
CHUNK = 1 << 20


def load_key(secure: Path) -> bytes:
    """The key in ``secure/key``; drawn from the operating system once, when there is none yet.

    Raises:
        DpStatsError: the key's file is damaged or others may read it.
    """
    path = secure_folder(secure) / "key"
    if not path.exists():
        with created_once(path, mode=PRIVATE_FILE) as draft:
            draft.write_bytes(secrets.token_bytes(KEY_BYTES))
    if path.stat().st_mode & 0o077:
        raise DpStatsError(f"Others may read the secret key {path}. Find out who used it, then run: chmod 600 {path}")
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise DpStatsError(
            f"The secret key {path} is damaged. Restore it from a backup: older digests cannot be checked without it."
        )
    return key


def keyed_digest(path: Path, key: bytes, *, about: str = "") -> str:
    """HMAC-SHA-256 of a file's bytes under ``key``, in hexadecimal (RFC 2104).

    With ``about``, such as the name of an edition, equal files about different things have different digests.
    """
    digest = hmac.new(key, f"{about}\0".encode() if about else None, digestmod=hashlib.sha256)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
