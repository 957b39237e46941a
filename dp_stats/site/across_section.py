"""The part of a release's page that shows its tables across editions: a chart each, the newest values, what is missing."""

from __future__ import annotations

from typing import Any

from dp_stats.charts.across_charts import across_chart
from dp_stats.charts.drawing import Studio
from dp_stats.charts.outline import FEW
from dp_stats.charts.panels import Panel
from dp_stats.charts.reading import ReleaseView
from dp_stats.charts.wording import unit_text
from dp_stats.editions.across import missing_said
from dp_stats.editions.edition import Edition
from dp_stats.site import parts
from dp_stats.site.drawings import save
from dp_stats.site.frame import Cell, Row, Rows, Site
from dp_stats.texts import numbers
from dp_stats.texts.words import Texts


def across_section(site: Site, view: ReleaseView, studio: Studio) -> list[dict[str, Any]]:
    """What the template shows of each table across editions."""
    texts, edition = site.texts, view.latest.edition
    shown = []
    for table in edition.tables:
        panel = view.panel(table.id, upto=view.latest) if table.across is not None else None
        if panel is None:
            continue
        metric = edition.statistic(table.statistics[0])
        chart = save(site, view, f"across-{table.id}", across_chart(studio, view, panel, metric))
        shown.append(
            {
                "id": f"across-{table.id}",
                "title": table.title,
                "chart": chart,
                "figures": _values(texts, edition, panel),
                "missing": missing_said(edition, table, texts),
                "about": [(edition.statistic(s).title, edition.statistic(s).description) for s in table.statistics],
            }
        )
    return shown


def _values(texts: Texts, edition: Edition, panel: Panel) -> Rows | None:
    """Every statistic of the newest period, of the whole or of few areas or groups."""
    by_area = len(panel.groups.codes) == 1
    level = panel.areas if by_area else panel.groups
    if len(level.codes) > FEW or len(panel.areas.codes) > 1 < len(panel.groups.codes):
        return None
    head = [Cell(level.title or texts("release.area"))]
    columns = []
    for name in panel.table.statistics:
        statistic = edition.statistic(name)
        unit = unit_text(statistic)
        head.append(Cell(statistic.title + (f" ({unit})" if unit else ""), n=True))
        found = panel.by_area(name) if by_area else panel.by_group(name)
        columns.append([group.figure for group in found])
    decimals = [numbers.decimals_for(column) for column in columns]
    rows = [
        Row(
            area,
            tuple(
                Cell(texts.figure(column[at], decimals=digits), n=True)
                for column, digits in zip(columns, decimals, strict=True)
            ),
        )
        for at, area in enumerate(level.names)
    ]
    marks = parts.marks_line(texts, [figure for column in columns for figure in column])
    return Rows(f"{panel.table.title}, {panel.periods[-1]}", head, rows, marks)
