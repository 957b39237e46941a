"""The charts of a release, saved beside its page."""

from __future__ import annotations

from typing import Any

from dp_stats.charts.drawing import Chart
from dp_stats.charts.reading import ReleaseView
from dp_stats.site.frame import Site


def save(site: Site, view: ReleaseView, name: str, chart: Chart | None) -> dict[str, Any] | None:
    """Write a chart's files; what the template needs to show it, or None where there is none."""
    if chart is None:
        return None
    folder = f"{view.id}/charts"
    site.writer.write(f"{folder}/{name}.svg", chart.svg)
    site.writer.write(f"{folder}/{name}-narrow.svg", chart.narrow)
    site.writer.write(f"{folder}/{name}.png", chart.png)
    site.writer.write(f"{folder}/{name}.csv", chart.csv)
    width, height = chart.size
    return {"src": f"charts/{name}", "width": width, "height": height, "alt": chart.words.alt}
