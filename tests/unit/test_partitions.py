"""Which groups of leaves lie in which others, asked in one place."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dp_stats.catalogue.partitions import first_leaves, parents, refines

Groups = st.integers(1, 12).flatmap(
    lambda n: st.tuples(*(st.lists(st.integers(0, 4), min_size=n, max_size=n).map(np.array) for _ in range(2)))
)


def by_hand(fine: np.ndarray, coarse: np.ndarray) -> bool:
    """Whether no two leaves share a group of ``fine`` and not one of ``coarse``."""
    return all(coarse[a] == coarse[b] for a in range(len(fine)) for b in range(len(fine)) if fine[a] == fine[b])


@given(Groups)
def test_a_partition_refines_another_exactly_if_leaves_that_share_a_group_share_both(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    fine, coarse = pair
    assert refines(fine, coarse) == by_hand(fine, coarse)
    assert refines(fine, fine)
    assert refines(np.arange(len(fine)), coarse)
    assert refines(fine, np.zeros_like(fine))


@given(Groups)
def test_the_parent_of_a_group_holds_every_leaf_of_it(pair: tuple[np.ndarray, np.ndarray]) -> None:
    coarse = np.unique(pair[1], return_inverse=True)[1]
    fine = np.unique(np.stack(pair), axis=1, return_inverse=True)[1]
    np.testing.assert_array_equal(parents(fine, coarse)[fine], coarse)
    np.testing.assert_array_equal(fine[first_leaves(fine)], np.arange(fine.max() + 1))
