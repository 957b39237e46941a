"""Charts are written in fonts that are installed, and check says which scripts none of them has."""

from __future__ import annotations

import warnings
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from conftest import Clinic
from english import TEXTS

from dp_stats.catalogue import load_catalogue
from dp_stats.charts import fonts
from dp_stats.charts.drawing import Studio
from dp_stats.charts.series import Series
from dp_stats.charts.sheets import Words
from dp_stats.operations.review import names_without_font
from dp_stats.settings import shipped

HANGUL, ARABIC = "서울", "القاهرة"
STUDIO = Studio(shipped("reports"), TEXTS)


def series(name: str) -> Series:
    values = np.array([1.0, 2.0])
    days, labels = (date(2024, 1, 1), date(2024, 1, 8)), ("one", "two")
    return Series(name, "a", days, labels, np.ones(2, bool), values, values - 1, values + 1, ("", ""))


@pytest.mark.parametrize("name", ["Αττική", "Москва", ARABIC, "תל אביב"])
def test_names_that_the_first_font_lacks_are_written_with_the_next(name: str) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Glyph")  # as matplotlib says of each sign that no font has
        STUDIO.headline(series(name), Words(name, name, "Source", "What it shows"))


def test_every_family_is_installed_and_one_that_matplotlib_brings_is_among_them() -> None:
    chosen = fonts.families(("No Such Family", "DejaVu Sans"))
    assert "No Such Family" not in chosen
    assert fonts.SHIPPED in chosen
    assert len(chosen) == len(set(chosen))


def test_a_font_that_has_a_script_is_taken_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_characters", lambda path: {ord(c) for c in "a" + (HANGUL + "한") * ("Mono" in path)})
    fonts.families.cache_clear()
    try:
        assert fonts.families(())[0] == fonts.SHIPPED
        assert any("Mono" in name for name in fonts.families(()))
        assert fonts.without_font(["a", HANGUL]) == []
        assert fonts.without_font([HANGUL + "漢字"]) == ["CJK"]
    finally:
        fonts.families.cache_clear()


def test_check_warns_of_names_that_png_charts_cannot_show(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    assert names_without_font(load_catalogue(clinic.folder)) == []
    path = Path(clinic.folder / "codes/clinics.csv")
    path.write_text(path.read_text().replace("North", HANGUL).replace("South", ARABIC), encoding="utf-8")
    monkeypatch.setattr(fonts, "PROBES", "")
    fonts.families.cache_clear()
    try:
        (warning,) = names_without_font(load_catalogue(clinic.folder))
    finally:
        fonts.families.cache_clear()
    assert "visits: no font of this machine has the signs of HANGUL, so its PNG charts" in warning
