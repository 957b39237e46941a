"""Estimates are written to plain files and come back as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dp_stats.errors import PublishedError
from dp_stats.estimate import EditionEstimates
from tests.estimate_examples import declare_edition


@pytest.fixture
def estimates() -> EditionEstimates:
    edition = declare_edition(contribution={"rows": 2}, derived=({"id": "sofar", "kind": "cumulative", "of": "count"},))
    counts = np.full(edition.grid.shape(), 4)
    exact = {"count": counts, "truncated_rows": counts // 4, "truncated_persons": counts // 4}
    return edition.estimate(edition.draw(exact, np.random.default_rng(1)))


def test_what_is_saved_is_what_is_loaded(estimates: EditionEstimates, tmp_path: Path) -> None:
    estimates.save(tmp_path)
    loaded = EditionEstimates.load(tmp_path)
    assert loaded.plan == estimates.plan
    assert loaded.nothing_truncated == estimates.nothing_truncated
    for table, statistics in estimates.tables.items():
        for name, estimate in statistics.items():
            again = loaded.tables[table][name]
            assert again.levels == estimate.levels
            for field in ("value", "unrounded", "lower", "upper", "standard_error", "bounded"):
                np.testing.assert_array_equal(getattr(again, field), getattr(estimate, field))
    assert estimates.truncation is not None
    assert loaded.truncation is not None
    assert loaded.truncation.truncated_rows == estimates.truncation.truncated_rows
    np.testing.assert_array_equal(loaded.truncation.factor, estimates.truncation.factor)


def test_saving_twice_gives_the_same_bytes(estimates: EditionEstimates, tmp_path: Path) -> None:
    estimates.save(tmp_path / "a")
    estimates.save(tmp_path / "b")
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def test_files_hold_no_pickled_objects(estimates: EditionEstimates, tmp_path: Path) -> None:
    estimates.save(tmp_path)
    with np.load(tmp_path / "estimates.npz", allow_pickle=False) as archive:
        assert all(archive[name].dtype.kind == "f" for name in archive.files)


@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_unreadable_files_are_refused_with_what_to_do(estimates: EditionEstimates, tmp_path: Path, damage: str) -> None:
    estimates.save(tmp_path)
    file = tmp_path / "estimates.json"
    if damage == "missing":
        file.unlink()
    else:
        file.write_text(file.read_text()[:100])
    with pytest.raises(PublishedError, match="Run the estimate step"):
        EditionEstimates.load(tmp_path)
