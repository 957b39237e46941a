"""A number of persons says in its description that people whose records were truncated may be missing from it."""

from __future__ import annotations

from typing import Any

import pytest

from dp_stats.editions.describe import _statistic
from tests.english import TEXTS
from tests.estimate_examples import declare_edition

SURE = {"rows": 1, "why_nothing_is_truncated": "First events only."}


@pytest.mark.parametrize(("bound", "missing"), [({"rows": 3}, True), (SURE, False)])
def test_persons_say_who_may_be_missing_where_records_are_truncated(bound: dict[str, Any], missing: bool) -> None:
    statistics = ({"id": "count", "kind": "count", "expected_total": 5000}, {"id": "people", "kind": "persons"})
    tables = ({"id": "area", "levels": {"area": "area"}, "statistics": ["count", "people"]},)
    made = declare_edition(statistics=statistics, tables=tables, contribution=bound)
    dataset = made.catalogue.dataset_of(made.release)
    count, people = (_statistic(s, made.release, dataset, TEXTS).description for s in made.release.statistics)
    assert ("At most 3 records" in people) is missing
    assert "missing" not in count
