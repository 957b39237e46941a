"""A release of which nothing is known yet, such as shares of nobody, has pages without the charts that would show it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from english import TEXTS
from site_editions import year_of_weeks

from dp_stats.charts import release_charts
from dp_stats.charts.drawing import Studio
from dp_stats.charts.outline import outline
from dp_stats.charts.panels import Panel
from dp_stats.charts.reading import ReleaseView, releases

STUDIO = Studio(Path(__file__).resolve().parents[2] / "reports", TEXTS, rough=True)


def test_charts_of_what_nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    year_of_weeks(tmp_path, weeks=3, limit=30)
    (view,), _ = releases(tmp_path, TEXTS)
    story = outline(view.latest.edition, editions=3)
    assert {"regions", "regions-latest"} <= {*release_charts.regions(STUDIO, view, story)}
    known = ReleaseView.panel

    def unknown(self: ReleaseView, *args: object, **kwargs: object) -> Panel | None:
        panel = known(self, *args, **kwargs)  # type: ignore[arg-type]
        if panel is None:
            return None
        nothing = np.full_like(panel.value, np.nan)
        return replace(panel, value=nothing, lower=nothing, upper=nothing)

    monkeypatch.setattr(ReleaseView, "panel", unknown)
    drawn = release_charts.regions(STUDIO, view, story)
    assert "regions" not in drawn
    for chart in (
        *drawn.values(),
        release_charts.headline(STUDIO, view, story),
        release_charts.top_areas(STUDIO, view, story),
        release_charts.by_group(STUDIO, view, story),
    ):
        assert chart is None or (chart.svg and chart.png)
