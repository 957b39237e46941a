"""The hash tree gives the roots and proofs that implementations of RFC 6962 and RFC 9162 agree on."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dp_stats.transparency.merkle import Tree, inclusion_path, leaf_hash, node_hash, root_by

LEAVES = [
    leaf_hash(bytes.fromhex(data))
    for data in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
"""Leaves, roots and paths of the reference implementation of Certificate Transparency."""

ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATHS = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


def test_roots_are_those_of_the_reference() -> None:
    tree = Tree()
    found = [tree.root().hex()]
    for leaf in LEAVES:
        tree.append(leaf)
        found.append(tree.root().hex())
    assert found == ROOTS


@pytest.mark.parametrize(("index", "size"), PATHS)
def test_paths_are_those_of_the_reference(index: int, size: int) -> None:
    assert [step.hex() for step in inclusion_path(index, LEAVES[:size])] == PATHS[index, size]


def recursive(leaves: list[bytes]) -> bytes:
    """The root as RFC 9162, section 2.1.1 writes it down."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(recursive(leaves[:split]), recursive(leaves[split:]))


TREES = st.integers(1, 70).map(lambda size: [hashlib.sha256(bytes([n])).digest() for n in range(size)])


@given(leaves=TREES, data=st.data())
def test_every_leaf_leads_to_the_root_by_its_own_path_alone(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    root, path = Tree(leaves).root(), inclusion_path(index, leaves)
    assert root == recursive(leaves)
    assert root_by(path, leaf=leaves[index], index=index, size=len(leaves)) == root
    other = data.draw(st.integers(-1, len(leaves)).filter(lambda n: n != index))
    assert root_by(path, leaf=leaves[index], index=other, size=len(leaves)) != root
    assert root_by(path, leaf=hashlib.sha256(b"another").digest(), index=index, size=len(leaves)) != root
    longer = [*path, path[-1] if path else root]
    assert root_by(longer, leaf=leaves[index], index=index, size=len(leaves)) is None
    if path:
        shorter = path[:-1]
        assert root_by(shorter, leaf=leaves[index], index=index, size=len(leaves)) is None
        step = data.draw(st.integers(0, len(path) - 1))
        altered = [*path[:step], hashlib.sha256(path[step]).digest(), *path[step + 1 :]]
        assert root_by(altered, leaf=leaves[index], index=index, size=len(leaves)) != root
