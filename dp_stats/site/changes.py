"""What changed since the edition before: said no more firmly than the intervals allow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dp_stats.charts import findings
from dp_stats.charts.outline import Outline
from dp_stats.charts.reading import Panel, ReleaseView, Revision
from dp_stats.charts.series import Group
from dp_stats.charts.wording import subject
from dp_stats.editions.edition import TableFacts
from dp_stats.site import parts
from dp_stats.site.frame import Card, Cell, Row, Rows, Site
from dp_stats.texts import numbers
from dp_stats.texts.numbers import Change, Figure


@dataclass(frozen=True)
class Changes:
    """What changed since the edition before: cards, sentences, and the clearest movers."""

    cards: Sequence[Card]
    sentences: Sequence[str]
    tables: Sequence[Rows]


def changes(site: Site, view: ReleaseView, revision: Revision, story: Outline, *, areas: str = "") -> Changes:
    """Compare an edition with the one before it; ``areas`` is the address of the folder of area pages."""
    texts, metric = site.texts, story.metric
    index = next((i for i, r in enumerate(view.current) if r.edition.path == revision.edition.path), 0)
    if index == 0:
        return Changes((), (texts("release.first_edition"),), ())
    before, after = view.current[index - 1], view.current[index]
    cards: list[Card] = []
    sentences: list[str] = []
    tables: list[Rows] = []
    whole = _pair(view, story.total, before, after)
    if whole and len(whole[0].dates) == len(whole[1].dates):
        for statistic in (metric, story.rate):
            if (
                statistic is None
                or statistic.id not in whole[0].table.statistics
                or statistic.id not in whole[1].table.statistics
            ):
                continue
            change = Change(whole[0].figure(statistic.id), whole[1].figure(statistic.id))
            if not (change.before.known and change.after.known):
                continue
            decimals = max(parts.decimals_of(panel, statistic.id) for panel in whole)
            what = subject(texts, statistic, whole[1].areas.names[0])
            if len(whole[1].dates) == 1:
                cards.append(parts.change_card(texts, what, change, decimals=decimals))
            if statistic is metric:
                sentences.append(
                    findings.of_change(
                        texts,
                        change,
                        what=what,
                        before=whole[0].labels[-1],
                        after=whole[1].labels[-1],
                        decimals=decimals,
                    )
                )
    local = _pair(view, story.areas, before, after)
    if local and len(local[0].dates) == len(local[1].dates) == 1:
        moved = [
            (group, Change(old.figure, group.figure))
            for old, group in zip(_aligned(local[0], local[1], metric.id), local[1].by_area(metric.id), strict=True)
            if old.figure.known and group.figure.known
        ]
        rose = [m for m in moved if m[1].direction == "rose"]
        fell = [m for m in moved if m[1].direction == "fell"]
        sentences.append(
            texts(
                "release.clear",
                all=numbers.number(len(moved)),
                rose=numbers.number(len(rose)),
                fell=numbers.number(len(fell)),
                unclear=numbers.number(len(moved) - len(rose) - len(fell)),
            )
        )
        decimals = numbers.decimals_for(m[1].after for m in moved)
        for caption, found in (("release.biggest_rises", rose), ("release.biggest_falls", fell)):
            found = sorted(found, key=lambda m: (-_clear(m[1]), m[0].code))[:5]
            if found:
                tables.append(
                    Rows(
                        texts(caption),
                        [
                            Cell(texts("release.area")),
                            Cell(texts("release.before"), n=True),
                            Cell(texts("release.after"), n=True),
                        ],
                        [
                            Row(
                                g.name,
                                (
                                    Cell(numbers.number(c.before.value, decimals=decimals), n=True),
                                    Cell(numbers.number(c.after.value, decimals=decimals), n=True),
                                ),
                                f"{areas}{g.code}.html" if areas else "",
                            )
                            for g, c in found
                        ],
                    )
                )
    return Changes(cards, sentences, tables)


def _clear(change: Change) -> float:
    """How clear a change is: its size in widths of the noise."""
    return abs(change.difference) / max(math.hypot(change.before.margin, change.after.margin), 1e-9)


def _pair(view: ReleaseView, table: TableFacts | None, before: Revision, after: Revision) -> tuple[Panel, Panel] | None:
    if table is None:
        return None
    old, new = view.panel(table.id, upto=before), view.panel(table.id, upto=after)
    return (old, new) if old and new else None


def _aligned(old: Panel, new: Panel, statistic: str) -> list[Group]:
    """The old panel's areas in the new one's order; an area that is new has no figure."""
    there = {g.code: g for g in old.by_area(statistic)} if statistic in old.table.statistics else {}
    nothing = Figure(math.nan, math.nan, math.nan, "x")
    return [there.get(c, Group(c, n, nothing)) for c, n in zip(new.areas.codes, new.areas.names, strict=True)]
