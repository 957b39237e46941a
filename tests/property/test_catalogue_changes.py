"""What an edit of the catalogue is said to do is what the ledger then charges, whatever is edited."""

from __future__ import annotations

import shutil
import tempfile
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from edited_catalogue import OPTIONS, Declared, Row
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from neighbouring_installations import a_fresh_one

from dp_stats import pipeline
from dp_stats.catalogue import load_catalogue
from dp_stats.errors import CatalogueError
from dp_stats.operations.changes import ReleaseChange, changes

DAY = date(2025, 1, 8)
BEFORE, AFTER = "2025-W02", "2025-W03"
EDITED = sorted(OPTIONS)


@st.composite
def edits(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A catalogue, and an edit of up to three things in it."""
    first = {name: draw(st.sampled_from(OPTIONS[name])) for name in draw(st.sets(st.sampled_from(EDITED), max_size=2))}
    edit = {name: draw(st.sampled_from(OPTIONS[name])) for name in draw(st.sets(st.sampled_from(EDITED), max_size=3))}
    return first, edit


@pytest.fixture
def unrehearsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is charged does not depend on whether it was rehearsed, which takes the most time."""
    monkeypatch.setattr(pipeline, "_rehearse", lambda run, sealed: None)


@settings(
    max_examples=14,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(edits())
@example(({}, {"title": "Visits again"}))
@example(({}, {"tables": "one"}))
@example(({"tables": "one"}, {"tables": "both"}))
@example(({}, {"loss": {"epsilon": 2}}))
@example(({}, {"codes": "renamed"}))
@example(({}, {"codes": "with a new area"}))
def test_what_an_edit_is_said_to_charge_is_charged(
    unrehearsed: None, edit: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        installation = a_fresh_one(Path(name))
        installation.write(Declared(set=edit[0]).files())
        installation.hold([Row(f"p{n}", DAY, "n", "3") for n in range(6)])
        first = {r: _charge(installation, f"{r}/{BEFORE}") for r in ("weekly", "people")}
        assert all(first.values())

        before = Path(name) / "before"
        shutil.copytree(installation.folder, before)
        installation.write(Declared(set={**edit[0], **edit[1]}).files())
        try:
            found = changes(load_catalogue(before), load_catalogue(installation.folder), today=DAY)
        except CatalogueError:
            return  # check refuses the edit, so there is nothing to tell
        told = {one.release: one for one in found.releases}
        for release in first:
            paid = _charge(installation, f"{release}/{AFTER}")
            _agrees(told.get(release), paid, series=release == "weekly", price=first[release])


def _agrees(told: ReleaseChange | None, paid: Fraction, *, series: bool, price: Fraction) -> None:
    if series:
        assert (paid > 0) == (told is not None and told.effect == "anew"), (told, paid)
        assert told is None or told.charges == (paid > 0), told
    else:
        assert told is not None or paid == price, (told, paid)
        assert told is None or told.effect == "each edition" or paid == price, (told, paid)
        assert told is None or told.charges == (paid > price), (told, paid)


def _charge(installation: Any, edition: str) -> Fraction:
    """What an edition is charged in all its blocks, a series once."""
    pipeline.pull(edition, settings=installation.settings)
    pipeline.reserve(edition, new_series=True, settings=installation.settings)
    made = installation.ledger().reservation(edition, 1)
    assert made is not None
    return made.rho * len(made.charged)
