"""The hash tree over a log's lines, as RFC 9162 (and RFC 6962) define it: roots, and proofs that a line is in it.

One root of 32 bytes stands for the whole history: a line that is altered, removed or moved gives another root.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf: SHA-256 of a zero byte and its data (RFC 9162, section 2.1.1)."""
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node: SHA-256 of a byte of one and its two children; the bytes in front keep nodes and leaves apart."""
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    """A tree that grows by one leaf at a time and knows its root after each.

    It keeps the roots of the full subtrees alone, largest first: one for each binary digit of one in its size.
    """

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self.size = 0
        self._full: list[bytes] = []
        for leaf in leaves:
            self.append(leaf)

    def append(self, leaf: bytes) -> None:
        """Add a leaf by its hash."""
        self._full.append(leaf)
        self.size += 1
        for _ in range((self.size & -self.size).bit_length() - 1):  # full subtrees of equal size become one
            right = self._full.pop()
            self._full.append(node_hash(self._full.pop(), right))

    def root(self) -> bytes:
        """The root of all leaves so far; that of none is the hash of nothing."""
        if not self._full:
            return hashlib.sha256(b"").digest()
        root = self._full[-1]
        for left in reversed(self._full[:-1]):
            root = node_hash(left, root)
        return root


def inclusion_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """The hashes that lead from the leaf at ``index`` (from 0) to the root of ``leaves``, nearest first.

    RFC 9162, section 2.1.3.1.
    """
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1  # the largest power of two below the size
    if index < split:
        return [*inclusion_path(index, leaves[:split]), Tree(leaves[split:]).root()]
    return [*inclusion_path(index - split, leaves[split:]), Tree(leaves[:split]).root()]


def root_by(path: Sequence[bytes], *, leaf: bytes, index: int, size: int) -> bytes | None:
    """The root that a path leads to from the leaf at ``index`` in a tree of ``size``; None if it has no such shape.

    RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size:
        return None
    place, last, root = index, size - 1, leaf
    for step in path:
        if last == 0:
            return None
        if place & 1 or place == last:
            root = node_hash(step, root)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            root = node_hash(root, step)
        place, last = place >> 1, last >> 1
    return root if last == 0 else None
