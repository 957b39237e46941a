"""One block of the normal equations: inverted where it is small, solved by conjugate gradients where it is not.

A block is large only where several dimensions have deep hierarchies of unequal groups. It is a sum of products of
one small matrix per dimension, so multiplying by it stays cheap; the preconditioner is its diagonal in the product
of each dimension's own eigenvectors, in which a block of nearly equal groups is nearly diagonal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import Protocol

import numpy as np

from dp_stats.plan.symmetry import Floats

LARGEST_DENSE = 3000
"""Rows up to which a block is inverted (a second or two, 70 MB)."""

TOGETHER = 256
"""Right-hand sides that conjugate gradients solve at once."""

Term = tuple[float, Sequence[Floats]]
"""A precision and one matrix per dimension."""


class Block(Protocol):
    """What least squares needs of a block of ``A``."""

    def apply(self, values: Floats) -> Floats:
        """``A⁺`` times columns; shape ``(rows, columns)``."""

    def contract(self, grams: list[Floats]) -> tuple[Floats, Floats]:
        """``<A⁺, S_1 ⊗ S_2 ⊗ …>`` for all combinations, and how much of each no measurement sees."""


def block_of(terms: Sequence[Term], sizes: Sequence[int], tolerance: float, largest: int = LARGEST_DENSE) -> Block:
    """The block ``Σ p · M_1 ⊗ M_2 ⊗ …`` with ``sizes`` rows per dimension."""
    return (
        DenseBlock.of(terms, prod(sizes), tolerance)
        if prod(sizes) <= largest
        else LargeBlock(tuple(terms), tuple(sizes))
    )


@dataclass(frozen=True, eq=False)
class DenseBlock:
    """A pseudo-inverse, and the projector on what is not measured (``None``: everything is)."""

    inverse: Floats
    unseen: Floats | None

    @classmethod
    def of(cls, terms: Sequence[Term], rows: int, tolerance: float) -> DenseBlock:
        """Invert; eigenvalues below ``tolerance`` times the largest count as not measured."""
        matrix = np.zeros((rows, rows))
        for p, parts in terms:
            matrix += p * kron(parts)
        values, vectors = np.linalg.eigh(matrix)
        seen = values > tolerance * max(values[-1], 0.0)
        kept = vectors[:, seen]
        unseen = None if seen.all() else vectors[:, ~seen] @ vectors[:, ~seen].T
        return cls((kept / values[seen]) @ kept.T, unseen)

    def apply(self, values: Floats) -> Floats:
        """``A⁺`` times columns."""
        return np.asarray(values * self.inverse[0, 0] if len(self.inverse) == 1 else self.inverse @ values)

    def contract(self, grams: list[Floats]) -> tuple[Floats, Floats]:
        """Exact, for all combinations."""
        value = contract(self.inverse, grams)
        return value, np.zeros_like(value) if self.unseen is None else contract(self.unseen, grams)


@dataclass(frozen=True, eq=False)
class LargeBlock:
    """The same by preconditioned conjugate gradients, to a relative residual of 1e-12."""

    terms: tuple[Term, ...]
    sizes: tuple[int, ...]

    @cached_property
    def _bases(self) -> list[Floats]:
        bases = []
        for axis in range(len(self.sizes)):
            weights = [p * prod(float(np.trace(m)) for m in parts) for p, parts in self.terms]
            mixed = sum(
                w * parts[axis] / max(float(np.trace(parts[axis])), 1e-300)
                for w, (_, parts) in zip(weights, self.terms, strict=True)
            )
            bases.append(np.linalg.eigh(mixed)[1])
        return bases

    @cached_property
    def _diagonal(self) -> Floats:
        total = np.zeros(prod(self.sizes))
        for p, parts in self.terms:
            part = np.full(1, p)
            for basis, matrix in zip(self._bases, parts, strict=True):
                part = np.asarray(np.kron(part, np.einsum("ij,ik,kj->j", basis, matrix, basis, optimize=True)))
            total += part
        return np.asarray(np.maximum(total, 1e-12 * total.max() or 1.0))

    def _times(self, matrices: Sequence[Floats], values: Floats) -> Floats:
        tensor = values.reshape(*self.sizes, -1)
        for axis, matrix in enumerate(matrices):
            tensor = np.moveaxis(np.tensordot(matrix, tensor, axes=(1, axis)), 0, axis)
        return np.asarray(tensor.reshape(prod(self.sizes), -1))

    def _multiply(self, values: Floats) -> Floats:
        total = np.zeros_like(values)
        for p, parts in self.terms:
            total += p * self._times(parts, values)
        return total

    def _precondition(self, values: Floats) -> Floats:
        turned = self._times([b.T for b in self._bases], values) / self._diagonal[:, None]
        return self._times(self._bases, turned)

    def apply(self, values: Floats) -> Floats:
        """``A⁻¹`` times columns; a column that ``A`` cannot reach gets the best approximation found."""
        columns = values.reshape(prod(self.sizes), -1)
        x = np.zeros_like(columns)
        residual = columns.copy()
        direction = z = self._precondition(residual)
        product_rz = (residual * z).sum(axis=0)
        goal = 1e-12 * np.linalg.norm(columns, axis=0)
        for _ in range(2000):
            if np.all(np.linalg.norm(residual, axis=0) <= goal):
                break
            image = self._multiply(direction)
            curvature = (direction * image).sum(axis=0)
            step = np.where(curvature > 0, product_rz / np.where(curvature > 0, curvature, 1), 0)
            x += step * direction
            residual -= step * image
            z = self._precondition(residual)
            following = (residual * z).sum(axis=0)
            direction = z + np.where(product_rz > 0, following / np.where(product_rz > 0, product_rz, 1), 0) * direction
            product_rz = following
        return np.asarray(x.reshape(values.shape))

    def contract(self, grams: list[Floats]) -> tuple[Floats, Floats]:
        """By solving for the directions of every combination of queries, many at once."""
        counts = tuple(len(g) for g in grams)
        value, hidden = np.zeros(counts), np.zeros(counts)
        waiting: list[tuple[tuple[int, ...], Floats, Floats]] = []
        for choice in product(*(range(n) for n in counts)):
            left, right = np.ones((1, 1)), np.ones((1, 1))
            for g, q in zip(grams, choice, strict=True):
                u, s, vt = np.linalg.svd(g[q])
                kept = s > 1e-14 * max(s[0], 1e-300)
                left, right = _columns(left, u[:, kept] * s[kept]), _columns(right, vt[kept].T)
            waiting.append((choice, left, right))
            if sum(r.shape[1] for _, _, r in waiting) >= TOGETHER:
                self._answer(waiting, value, hidden)
                waiting = []
        self._answer(waiting, value, hidden)
        return value, hidden

    def _answer(self, waiting: list[tuple[tuple[int, ...], Floats, Floats]], value: Floats, hidden: Floats) -> None:
        if not waiting:
            return
        right = np.concatenate([r for _, _, r in waiting], axis=1)
        solved = self.apply(right)
        missed = right - self._multiply(solved)
        missed[:, np.linalg.norm(missed, axis=0) < 1e-6 * np.linalg.norm(right, axis=0)] = 0
        start = 0
        for choice, left, part in waiting:
            own = slice(start, start := start + part.shape[1])
            value[choice] = float((left * solved[:, own]).sum())
            hidden[choice] = float(np.abs((left * missed[:, own]).sum(axis=0)).sum())


def _columns(first: Floats, second: Floats) -> Floats:
    """All Kronecker products of a column of each."""
    return np.asarray(np.einsum("ia,jb->ijab", first, second).reshape(len(first) * len(second), -1))


def kron(matrices: Sequence[Floats]) -> Floats:
    """Kronecker product of square matrices, first slowest."""
    result: Floats = np.ones((1, 1))
    for matrix in matrices:
        result = np.asarray(np.kron(result, matrix), dtype=np.float64)
    return result


def contract(matrix: Floats, grams: list[Floats]) -> Floats:
    """``<matrix, S_1 ⊗ S_2 ⊗ …>`` for all combinations; ``grams[d]`` has shape ``(queries, block, block)``."""
    sizes = [g.shape[1] for g in grams]
    tensor: Floats = matrix.reshape(1, *sizes, *sizes)
    for g in grams:
        half = (tensor.ndim - 1) // 2
        moved = np.moveaxis(tensor, 1 + half, 2)
        tensor = np.tensordot(moved, g, axes=([1, 2], [1, 2]))
        tensor = np.asarray(np.moveaxis(tensor, -1, 1).reshape(-1, *tensor.shape[1:-1]))
    return np.asarray(tensor.reshape([len(g) for g in grams]))
