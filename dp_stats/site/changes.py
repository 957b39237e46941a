"""What changed since the edition before: said no more firmly than the intervals allow."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dp_stats.charts import findings
from dp_stats.charts.clear import among_each_other
from dp_stats.charts.outline import Outline
from dp_stats.charts.panels import Panel, whole_at_the_end
from dp_stats.charts.reading import ReleaseView, Revision
from dp_stats.charts.series import Group
from dp_stats.charts.wording import subject
from dp_stats.editions.edition import TableFacts
from dp_stats.site import parts
from dp_stats.site.common import area_links
from dp_stats.site.frame import Card, Cell, Row, Rows, Site
from dp_stats.texts import numbers
from dp_stats.texts.numbers import Change, Figure
from dp_stats.texts.words import Texts

MOST_MOVERS = 5


@dataclass(frozen=True)
class Changes:
    """What changed since the edition before: cards, sentences, and the clearest movers."""

    cards: Sequence[Card]
    sentences: Sequence[str]
    tables: Sequence[Rows]
    note: str = ""


def changes(site: Site, view: ReleaseView, revision: Revision, story: Outline, *, folder: str = "") -> Changes:
    """Compare an edition with the one before it; ``folder`` leads to the release's folder."""
    texts = site.texts
    after = next((r for r in view.current if r.edition.path == revision.edition.path), view.latest)
    before = view.before(after)
    if before is None:
        first = not view.current or after is view.current[0]
        return Changes((), (texts("release.first_edition" if first else "release.no_week_before"),), ())
    if said := _parts(site, view, story, before, after):
        return Changes((), said, ())
    cards, sentences = _of_the_whole(site, view, story, before, after)
    said, tables = _of_areas(site, view, story, before, after, folder=folder)
    return Changes(cards, [*sentences, *said], tables, texts("release.movers") if tables else "")


def _parts(site: Site, view: ReleaseView, story: Outline, before: Revision, after: Revision) -> list[str]:
    """That an edition ends with a part of a period, where one does: its figures are not compared."""
    pairs = (_pair(view, table, before, after) for table in (story.total, story.areas))
    cut = (panel for pair in pairs if pair for panel in pair if not whole_at_the_end(panel))
    return list(dict.fromkeys(site.texts("release.not_compared", period=panel.periods[-1]) for panel in cut))


def _of_the_whole(
    site: Site, view: ReleaseView, story: Outline, before: Revision, after: Revision
) -> tuple[list[Card], list[str]]:
    """The change of the whole: a card for each metric that has one moment, and a sentence about the first."""
    texts, metric = site.texts, story.metric
    cards: list[Card] = []
    sentences: list[str] = []
    told = False
    whole = _pair(view, story.total, before, after)
    if whole is None or len(whole[0].dates) != len(whole[1].dates):
        return cards, sentences
    for statistic in (metric, story.rate):
        if statistic is None or any(statistic.id not in panel.table.statistics for panel in whole):
            continue
        change = Change(whole[0].figure(statistic.id), whole[1].figure(statistic.id), independent=True)
        if not (change.before.known and change.after.known) or change.after.broken:
            continue
        decimals = max(parts.decimals_of(panel, statistic.id) for panel in whole)
        what = subject(texts, statistic, whole[1].areas.names[0])
        told |= statistic is metric and change.direction == "early"  # the sentence says so, once for all cards
        if len(whole[1].dates) == 1:
            cards.append(parts.change_card(texts, what, change, decimals=decimals, say_early=not told))
        if statistic is metric:
            labels = {"before": whole[0].labels[-1], "after": whole[1].labels[-1]}
            sentences.append(findings.of_change(texts, change, what=what, decimals=decimals, **labels))
    return cards, sentences


def _of_areas(
    site: Site, view: ReleaseView, story: Outline, before: Revision, after: Revision, *, folder: str
) -> tuple[list[str], list[Rows]]:
    """How many areas rose or fell beyond doubt, and the clearest of them."""
    texts, metric = site.texts, story.metric
    local = _pair(view, story.areas, before, after)
    if local is None or not len(local[0].dates) == len(local[1].dates) == 1:
        return [], []
    changes = clear_changes(*local, metric.id)
    moved = [(group, changes[group.code]) for group in local[1].by_area(metric.id) if group.code in changes]
    by_direction: dict[str, list[tuple[Group, Change]]] = defaultdict(list)
    for one in moved:
        by_direction[one[1].direction].append(one)
    rose, fell = by_direction["rose"], by_direction["fell"]
    said = texts(
        "release.clear",
        all=texts.number(len(moved)),
        rose=texts.number(len(rose)),
        fell=texts.number(len(fell)),
        unclear=texts.number(len(moved) - len(rose) - len(fell)),
    )
    if early := len(by_direction["early"]):
        said += " " + texts.plural("finding.early_many", early)
    decimals = numbers.decimals_for(m[1].after for m in moved)
    links = {code: f"{folder}{address}" for code, address in area_links(view, story).items()}
    tables = [
        _movers(texts, texts(caption), found, decimals=decimals, links=links)
        for caption, found in (("release.biggest_rises", rose), ("release.biggest_falls", fell))
        if found
    ]
    return [said], tables


def clear_changes(old: Panel, new: Panel, statistic: str) -> dict[str, Change]:
    """By code, how each area's figure in one edition differs from that in another, told where it is clear among all areas."""
    pairs = zip(_aligned(old, new, statistic), new.by_area(statistic), strict=True)
    known = ((a, b) for a, b in pairs if a.figure.known and b.figure.known and not b.figure.broken)
    return among_each_other({b.code: Change(a.figure, b.figure, independent=True) for a, b in known})


def _movers(
    texts: Texts, caption: str, moved: list[tuple[Group, Change]], *, decimals: int, links: Mapping[str, str]
) -> Rows:
    """The largest of clear changes ``moved``, by the ends of their intervals that are nearest to none."""
    clearest = sorted(moved, key=lambda m: (-_least(m[1]), m[0].code))[:MOST_MOVERS]
    head = [
        Cell(texts("release.area")),
        Cell(texts("release.before"), n=True),
        Cell(texts("release.after"), n=True),
        Cell(texts("release.by_at_least"), n=True),
    ]
    rows = [
        Row(
            group.name,
            (
                Cell(texts.number(change.before.value, decimals=decimals), n=True),
                Cell(texts.number(change.after.value, decimals=decimals), n=True),
                Cell(texts("figure.short", value=words["change"], interval=words["interval"]), n=True),
            ),
            links.get(group.code, ""),
        )
        for group, change in clearest
        for words in [parts.change_words(texts, change.within(change.reach), decimals=decimals)]
    ]
    return Rows(caption, head, rows)


def _least(change: Change) -> float:
    """The least that a clear change may be, given that it was picked."""
    found = change.within(change.reach)
    return max(found.lower, -found.upper)


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
