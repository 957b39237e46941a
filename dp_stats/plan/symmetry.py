"""One dimension's nested levels, split into the pieces on which every level acts alike.

Each level ``j`` of a dimension acts on the leaves through ``G_j = Q_jᵀ Q_j`` (ones inside its groups). The
matrices of a tree of levels commute with every exchange of sibling subtrees of equal shape, so by Schur's
lemma they are block diagonal on the *contrasts* between such siblings, with the same small block for every
contrast, and on what is constant within each orbit of leaves. Equal group sizes give blocks of size one
(differences of block means, as in Haar wavelets); unequal sizes, such as regions with different numbers of
areas or weeks cut by the end of a year, give one block with a row per orbit. Nothing is approximated.

Source: isotypic decomposition of the permutation representation of a tree's automorphism group; see
Bailey (2004), *Association Schemes*, ch. 6, for the balanced case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from dp_stats.catalogue.partitions import parents, refines

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Component:
    """A subspace of the functions on the leaves, as ``copies`` interchangeable copies of a small block.

    Attributes:
        analysis: unit vectors, copy by copy; shape ``(copies · block, leaves)``.
        siblings: which family of siblings each copy belongs to (``None``: there is one copy, no contrast).
        matrices: level → its ``G`` on the block, shape ``(block, block)``; the same for every copy.
    """

    copies: int
    block: int
    analysis: sparse.csr_array
    siblings: Indices | None
    matrices: Mapping[str, Floats]

    def centre(self, values: Floats) -> Floats:
        """Subtract the siblings' mean; ``values`` has shape ``(copies, …)``."""
        if self.siblings is None:
            return values
        families = int(self.siblings[-1]) + 1
        if families == 1:
            return np.asarray(values - values.mean(axis=0))
        member = sparse.csr_array(
            (np.ones(self.copies), (self.siblings, np.arange(self.copies))), shape=(families, self.copies)
        )
        mean = np.asarray(member @ values.reshape(self.copies, -1)) / np.bincount(self.siblings)[:, None]
        return values - mean[self.siblings].reshape(values.shape)

    def analyse(self, values: Floats) -> Floats:
        """Coordinates of functions on the leaves: ``(leaves, rest)`` → ``(copies, block, rest)``."""
        return self.centre(np.asarray(self.analysis @ values).reshape(self.copies, self.block, -1))

    def synthesise(self, coordinates: Floats) -> Floats:
        """Functions on the leaves from coordinates: ``(copies, block, rest)`` → ``(leaves, rest)``."""
        return np.asarray(self.analysis.T @ coordinates.reshape(self.copies * self.block, -1))

    def gram(self, left: Floats, right: Floats | None = None) -> Floats:
        """``Σ over copies of z zᵀ`` for queries given as rows; ``(queries, leaves)`` → ``(queries, block, block)``."""
        first = self.analyse(left.T)
        second = first if right is None else self.analyse(right.T)
        return np.asarray(np.einsum("ciq,cjq->qij", first, second, optimize=True))


@dataclass(frozen=True, eq=False)
class Axis:
    """A dimension's components and the orbit of each leaf (leaves of one orbit are interchangeable)."""

    leaves: int
    components: tuple[Component, ...]
    orbit: Indices
    nested: frozenset[str]


def split(groups: Mapping[str, Indices], leaves: int) -> Axis:
    """The components of a dimension whose levels are the partitions ``groups`` (level → group of each leaf).

    Levels that are not nested in one another (weeks and months) are allowed: then leaves are only
    interchangeable inside the parts that no level cuts, and all parts share one block.
    """
    identity = np.arange(leaves)
    chain = sorted({_canonical(g).tobytes(): _canonical(g) for g in groups.values()}.values(), key=lambda g: -g.max())
    chain = [g for g in chain if 0 < g.max() < leaves - 1 or (g.max() == 0 and leaves == 1)]
    nested = all(refines(fine, coarse) for fine, coarse in pairwise(chain))
    if not nested:
        atoms = np.unique(np.stack(chain), axis=1, return_inverse=True)[1]
        chain = [_canonical(atoms)]
    depths = [identity, *[g for g in chain if g.max() < leaves - 1], np.zeros(leaves, dtype=np.intp)]
    type_of_node: Indices = np.zeros(leaves, dtype=np.intp)
    orbit = np.zeros(leaves, dtype=np.intp)
    components: list[Component] = []
    for depth, (fine, coarse) in enumerate(pairwise(depths)):
        if not nested and depth == len(depths) - 2:
            type_of_node = np.arange(len(type_of_node))  # the parts that crossing levels cut are all of their own type
        parent = parents(fine, coarse)
        acting = {name: g for name, g in groups.items() if refines(g, fine)}
        components += _contrasts(fine, parent, type_of_node, orbit, acting, tuple(groups))
        type_of_node, orbit = _merge(fine, parent, type_of_node, orbit)
    components.append(_block(identity * 0, np.zeros(1, dtype=np.intp), orbit, groups, tuple(groups), None))
    tree_levels = frozenset(n for n, g in groups.items() if nested or len(np.unique(g)) in (1, leaves))
    return Axis(leaves, tuple(components), orbit, tree_levels)


def _canonical(group: Indices) -> Indices:
    return np.unique(group, return_inverse=True)[1].astype(np.intp)


def _contrasts(
    fine: Indices,
    parent: Indices,
    types: Indices,
    orbit: Indices,
    acting: Mapping[str, Indices],
    names: tuple[str, ...],
) -> list[Component]:
    """One component per type of node: the differences between siblings of that type."""
    found = []
    for kind in np.unique(types):
        nodes = np.flatnonzero(types == kind)
        families, sizes = np.unique(parent[nodes], return_counts=True)
        nodes = nodes[np.isin(parent[nodes], families[sizes > 1])]
        if len(nodes):
            nodes = nodes[np.argsort(parent[nodes], kind="stable")]
            found.append(_block(fine, nodes, orbit, acting, names, _canonical(parent[nodes])))
    return found


def _block(
    fine: Indices,
    nodes: Indices,
    orbit: Indices,
    acting: Mapping[str, Indices],
    names: tuple[str, ...],
    siblings: Indices | None,
) -> Component:
    position = np.full(int(fine.max()) + 1, -1)
    position[nodes] = np.arange(len(nodes))
    member = np.flatnonzero(position[fine] >= 0)
    block = int(orbit[member].max()) + 1
    row = position[fine[member]] * block + orbit[member]
    size = np.bincount(row, minlength=len(nodes) * block)
    analysis = sparse.csr_array((1 / np.sqrt(size[row]), (row, member)), shape=(len(nodes) * block, len(fine)))
    one = analysis[:block].toarray()
    inside = np.flatnonzero(one.any(axis=0))
    matrices = {}
    for name in names:
        matrices[name] = np.zeros((block, block))
        if name in acting:
            group = _canonical(acting[name][inside])
            summed = np.zeros((int(group.max()) + 1, block))
            np.add.at(summed, group, one[:, inside].T)
            matrices[name] = summed.T @ summed
    return Component(len(nodes), block, analysis, siblings, matrices)


def _merge(fine: Indices, parent: Indices, types: Indices, orbit: Indices) -> tuple[Indices, Indices]:
    """Types of the parents (equal where their children are of equal types) and the orbits within them."""
    width = np.array([int(orbit[types[fine] == kind].max()) + 1 for kind in range(int(types.max()) + 1)])
    known: dict[tuple[tuple[int, int], ...], int] = {}
    parent_types = np.zeros(int(parent.max()) + 1, dtype=np.intp)
    offset = np.zeros(len(types), dtype=np.intp)
    order = np.argsort(parent, kind="stable")
    for children in np.split(order, np.flatnonzero(np.diff(parent[order])) + 1):
        kinds, counts = np.unique(types[children], return_counts=True)
        shape = tuple(zip(kinds.tolist(), counts.tolist(), strict=True))
        parent_types[parent[children[0]]] = known.setdefault(shape, len(known))
        starts = np.concatenate([[0], np.cumsum(width[kinds])[:-1]])
        offset[children] = starts[np.searchsorted(kinds, types[children])]
    return parent_types, orbit + offset[fine]
