"""Pieces that several pages are made of: cards, tables of values, the map, what changed, what it cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from markupsafe import Markup

from dp_stats.publish import files as published_files
from dp_stats.publish.edition import BudgetFacts, Edition, StatisticFacts, TableFacts
from dp_stats.publish.metadata import identifier
from dp_stats.publish.site import findings, numbers, svg
from dp_stats.publish.site.frame import Card, Cell, Row, Rows, Site
from dp_stats.publish.site.numbers import Change, Figure
from dp_stats.publish.site.outline import Outline, outline
from dp_stats.publish.site.reading import Panel, ReleaseView, Revision
from dp_stats.publish.site.series import Group, ranked
from dp_stats.publish.site.texts import Texts
from dp_stats.publish.site.tilemap import Layout, classes, layout


def outline_of(view: ReleaseView) -> Outline:
    """Which tables tell the story of a release."""
    return outline(view.latest.edition, editions=len(view.current))


def lower_first(text: str) -> str:
    """A title inside a sentence; abbreviations keep their capitals."""
    return text if len(text) < 2 or text[1].isupper() else text[0].lower() + text[1:]


def subject(texts: Texts, statistic: StatisticFacts, place: str) -> str:
    """What a sentence is about: ``Confirmed cases in the United Kingdom``."""
    return texts("area.series", what=statistic.title, area=texts.place(place)) if place else statistic.title


def label_of(edition: Edition) -> str:
    """The period in words, as a heading has it."""
    return edition.period.text


def source_line(texts: Texts, edition: Edition) -> str:
    """What stands below every chart."""
    return texts("chart.source", publisher=edition.release.publisher or edition.dataset.custodians[0].name)


def unit_text(statistic: StatisticFacts) -> str:
    """The unit as it stands after a number; counts of records have none worth saying."""
    return "" if statistic.unit in ("records", "") else statistic.unit


def decimals_of(panel: Panel, statistic: str) -> int:
    """How many decimals a metric of a panel's latest moment deserves."""
    return numbers.decimals_for(
        panel.figure(statistic, area=a, group=g)
        for a in range(min(len(panel.areas.codes), 400))
        for g in range(min(len(panel.groups.codes), 12))
    )


def figure_card(texts: Texts, label: str, figure: Figure, *, decimals: int, unit: str = "", note: str = "") -> Card:
    """A card for one figure, with its interval on a scale from zero."""
    if not figure.known:
        return Card(label, texts("figure.none"), word=True)
    marks = "; ".join(f"{name}: {meaning}" for mark in figure.status.split() if mark in ("u", "low") for name, meaning in texts.status(mark))
    return Card(
        label, numbers.number(figure.value, decimals=decimals), unit, texts.between(figure, decimals=decimals),
        " ".join(part for part in (note, marks) if part), Markup(svg.interval_bar(figure)),
        (numbers.number(figure.lower, decimals=decimals), numbers.number(figure.upper, decimals=decimals)),
    )  # fmt: skip


def change_card(texts: Texts, label: str, change: Change, *, decimals: int) -> Card:
    """A card that says whether a figure rose, fell, or cannot be told from the earlier one."""
    sign = "+" if change.difference > 0 else ""
    note = ""
    if change.direction != "unclear" and not math.isnan(change.per_cent):
        size = numbers.rounded(change.per_cent)
        note = f"{sign}{numbers.number(change.difference, decimals=decimals)} ({sign}{numbers.number(size)}{numbers.NBSP}%)"
    elif change.direction == "unclear":
        note = texts("release.overlap")
    return Card(label, texts(f"change.word.{change.direction}"), note=note, word=True)


def marks_line(texts: Texts, figures: Sequence[Figure]) -> str:
    """An explanation of every reliability mark that tells some of the figures from others."""
    seen = sorted({mark for figure in figures for mark in figure.status.split()} - common_marks(figures))
    return "; ".join(f"{name}: {meaning}" for mark in seen for name, meaning in texts.status(mark))


def common_marks(figures: Iterable[Figure]) -> frozenset[str]:
    """Marks that every figure bears, such as ``p`` in a provisional edition: the page says them once."""
    sets = [frozenset(f.status.split()) for f in figures if f.known]
    return frozenset.intersection(*sets) if sets else frozenset()


def note_cell(texts: Texts, figure: Figure, *, but: frozenset[str] = frozenset()) -> Cell:
    """The names of a figure's reliability marks, but for those said elsewhere."""
    kept = " ".join(mark for mark in figure.status.split() if mark not in but)
    return Cell(", ".join(name for name, _ in texts.status(kept)))


def groups_table(
    texts: Texts, groups: Sequence[Group], *, caption: str, first: str, unit: str = "", links: dict[str, str] | None = None
) -> Rows:
    """Groups with their estimates, intervals and marks."""
    decimals = numbers.decimals_for(g.figure for g in groups)
    said = common_marks(g.figure for g in groups)
    noted = any(set(g.figure.status.split()) - said for g in groups)
    head = [Cell(first), Cell(texts("release.value"), n=True), Cell(texts("release.interval"), n=True)]
    head += [Cell(texts("release.note"))] if noted else []
    rows = [
        Row(
            g.name,
            (
                Cell(numbers.number(g.figure.value, decimals=decimals), n=True),
                Cell(texts.between(g.figure, decimals=decimals), n=True),
                *((note_cell(texts, g.figure, but=said),) if noted else ()),
            ),
            (links or {}).get(g.code, ""),
        )
        for g in groups
    ]
    caption += f" ({unit})" if unit else ""
    return Rows(caption, head, rows, marks_line(texts, [g.figure for g in groups]))


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
    whole = _pair(view, story.whole, before, after)
    if whole and len(whole[0].dates) == len(whole[1].dates) == 1:
        for statistic in (metric, story.rate):
            if statistic is None or statistic.id not in whole[0].table.statistics or statistic.id not in whole[1].table.statistics:
                continue
            change = Change(whole[0].figure(statistic.id), whole[1].figure(statistic.id))
            if not (change.before.known and change.after.known):
                continue
            decimals = max(decimals_of(panel, statistic.id) for panel in whole)
            what = subject(texts, statistic, whole[1].areas.names[0])
            cards.append(change_card(texts, what, change, decimals=decimals))
            if statistic is metric:
                sentences.append(
                    findings.of_change(
                        texts, change, what=what, before=whole[0].labels[-1], after=whole[1].labels[-1], decimals=decimals
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
                "release.clear", all=numbers.number(len(moved)), rose=numbers.number(len(rose)), fell=numbers.number(len(fell)),
                unclear=numbers.number(len(moved) - len(rose) - len(fell)),
            )
        )  # fmt: skip
        decimals = numbers.decimals_for(m[1].after for m in moved)
        for caption, found in (("release.biggest_rises", rose), ("release.biggest_falls", fell)):
            found = sorted(found, key=lambda m: (-_clear(m[1]), m[0].code))[:5]
            if found:
                tables.append(
                    Rows(
                        texts(caption),
                        [Cell(texts("release.area")), Cell(texts("release.before"), n=True), Cell(texts("release.after"), n=True)],
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


def layout_of(site: Site, edition: Edition, table: TableFacts) -> Layout | None:
    """The tiles of a table's areas: a kept layout that covers them, or one computed from their centroids."""
    place = edition.geography
    if place is None or table.levels[place.name] != place.levels[0].name:
        return None
    codes = [c for c in place.levels[0].codes if c != place.unknown]
    for path in sorted((site.reports / "layouts").glob("*.csv")):
        kept = Layout.load(path)
        if kept.covers(codes):
            return Layout({c: t for c, t in kept.tiles.items() if c in set(codes)})
    if place.longitude is None or place.latitude is None:
        return None
    parents = place.levels[0].parents or ("",) * len(place.levels[0].codes)
    known = [
        (c, x, y, p)
        for c, x, y, p in zip(place.levels[0].codes, place.longitude, place.latitude, parents, strict=True)
        if x is not None and y is not None
    ]
    if len(known) < 0.9 * len(codes) or len(known) < 4:
        return None
    return layout([k[0] for k in known], [k[1] for k in known], [k[2] for k in known], groups=[k[3] for k in known])


def tile_map(site: Site, edition: Edition, panel: Panel, story: Outline, tiles: Layout, *, areas: str) -> dict[str, Any]:
    """The map of one moment with its key; rates are mapped where there are any, for they compare places fairly."""
    texts = site.texts
    rate = story.rate is not None and story.rate.id in panel.table.statistics
    statistic = story.rate if rate and story.rate else story.metric
    groups = panel.by_area(statistic.id)
    bounds = classes([g.figure.value for g in groups if g.code in tiles.tiles])
    decimals = 0 if all(float(b).is_integer() for b in bounds) else 1
    what = statistic.title + (f" {statistic.unit}" if rate else "")
    key = []
    edges = [-math.inf, *bounds, math.inf]
    for index, (low, high) in enumerate(zip(edges, edges[1:], strict=False)):
        count = sum(low <= g.figure.value < high for g in groups if g.code in tiles.tiles)
        if not bounds:
            text = what
        elif index == 0:
            text = texts("release.key_first", bound=numbers.number(high, decimals=decimals))
        elif index == len(bounds):
            text = texts("release.key_open", bound=numbers.number(low, decimals=decimals))
        else:
            text = texts("release.key_between", low=numbers.number(low, decimals=decimals), high=numbers.number(high, decimals=decimals))
        key.append({"css": f"k{index}", "text": text, "count": numbers.number(count)})
    finding = findings.of_groups(texts, groups, what=what, when=panel.labels[-1])
    title = texts("release.map_title", what=what, level=lower_first(panel.areas.title))
    return {
        "title": title,
        "sub": texts("release.map_sub", period=label_of(edition)),
        "svg": Markup(svg.tiles("map", tiles, groups, bounds, texts, title=title, description=finding, areas=areas)),
        "key": key,
        "hexagon": svg.HEXAGON,
        "unsure": any(g.figure.weak for g in groups),
        "finding": finding,
        "counts": not rate,
        "areas": areas,
        "all": texts("release.all_areas", count=numbers.number(len(groups))),
    }


def loss_text(edition: Edition) -> str:
    """The privacy loss in symbols: ``ε = 1`` or ``ε = 0.8 at δ = 0.000001``."""
    g = edition.guarantee
    if g.pure_epsilon is not None:
        return f"ε = {float(g.pure_epsilon):.4g}"
    return f"ε = {g.epsilon:.3g} at δ = {plain(float(g.delta))}"


def plain(value: float) -> str:
    """A small number without an exponent."""
    return f"{value:.12f}".rstrip("0").rstrip(".")


def privacy(site: Site, edition: Edition, panel: Panel | None, statistic: StatisticFacts) -> dict[str, Any]:
    """How private and how accurate an edition is, in words and one drawing."""
    texts, g = site.texts, edition.guarantee
    epsilon = float(g.pure_epsilon) if g.pure_epsilon is not None else g.epsilon
    sure = 100 / (1 + math.exp(-min(epsilon, 40)))
    percent = f"{math.floor(sure * 10) / 10:.1f}" if sure > 99 else f"{math.ceil(sure)}"
    delta = "" if g.pure_epsilon is not None else texts("private.odds_delta", delta=plain(float(g.delta)))
    block = texts(f"block.{g.per}")
    figures = panel.by_area(statistic.id) if panel else ()
    if panel and len(panel.groups.codes) > 1:
        figures = panel.by_group(statistic.id)
    typical = numbers.typical_margin(x.figure for x in figures)
    decimals = numbers.decimals_for(x.figure for x in figures) if figures else 0
    margin = numbers.number(numbers.rounded(typical), decimals=decimals if typical < 10 else 0)
    accurate = []
    if panel and not math.isnan(typical):
        accurate.append(texts("private.noise", margin=margin, what=lower_first(statistic.title), level=lower_first(panel.areas.title or panel.groups.title or edition.headline.title)))
        accurate.append(texts("private.differ", margin=margin))
    accurate.append(texts("private.add" if edition.quality.consistent else "private.not_add"))
    if edition.quality.cut is not None and edition.quality.cut.share > 0:
        cut = edition.quality.cut
        accurate.append(texts("private.cut_text", share=f"{cut.share * 100:.1f}{numbers.NBSP}%", interval=f"{numbers.number(max(0, cut.lower))} {texts('figure.to')} {numbers.number(cut.upper)}"))
    main = max((m for m in g.measured if m.role == "statistic"), key=lambda m: (m.rho, m.id), default=None)
    diagram, caption = Markup(""), ""
    if main is not None:
        unit = float(main.unit)
        caption = texts(
            "private.diagram_desc", shift=numbers.number(main.l1 * unit, decimals=0 if unit >= 1 else 2),
            noise=f"±{numbers.number(numbers.rounded(main.standard_deviation * unit), decimals=1 if main.standard_deviation * unit < 10 else 0)}",
        )  # fmt: skip
        diagram = Markup(
            svg.noise(
                "noise", scale=main.scale, shift=float(main.l1), laplace=main.mechanism == "discrete_laplace",
                title=texts("private.diagram_title"), description=caption,
                words=(texts("private.without"), texts("private.with"), texts("private.axis")),
            )
        )  # fmt: skip
    return {
        "diagram": diagram,
        "diagram_caption": caption,
        "odds": texts("private.odds", block=block, percent=f"{percent}{numbers.NBSP}%", delta=delta),
        "loss": texts("private.loss", loss=loss_text(edition), unit=g.unit, block=block),
        "accurate": accurate,
    }


FORMATS = {
    ".csv": "CSV", ".parquet": "Parquet", ".json": "JSON", ".xlsx": "Excel", ".ods": "OpenDocument", ".md": "Markdown", ".jsonld": "JSON-LD",
}  # fmt: skip


def files_of(site: Site, revision: Revision, *, prefix: str) -> list[dict[str, str]]:
    """Every file in an edition's folder with its size and checksum, its tables first."""
    listed = [
        {"href": prefix + f.path, "title": t.title, "format": FORMATS.get(Path(f.path).suffix, ""), "size": numbers.file_size(f.bytes), "hash": f.sha256}
        for t in revision.edition.tables
        for f in t.files
    ]
    known = {f.path for t in revision.edition.tables for f in t.files}
    for name, found in checksums_of(revision):
        path = revision.folder / name
        if name not in known and path.is_file():
            title = site.texts.get("files").get(name, name)
            size = numbers.file_size(path.stat().st_size)
            listed.append({"href": prefix + name, "title": title, "format": FORMATS.get(path.suffix, ""), "size": size, "hash": found})
    return listed


def checksums_of(revision: Revision) -> list[tuple[str, str]]:
    """(name, SHA-256) of each file of an edition, from its ``SHA256SUMS``."""
    sums = revision.folder / published_files.CHECKSUMS
    lines = sums.read_text(encoding="utf-8").splitlines() if sums.is_file() else []
    return [(name, found) for found, _, name in (line.partition("  ") for line in lines)]


def downloads(site: Site, revision: Revision, *, prefix: str) -> dict[str, Any]:
    """A row per table with its formats, the workbook if there is one, and the checksums to compare with."""
    rows: list[dict[str, Any]] = []
    names: list[str] = []
    for table in revision.edition.tables:
        rows.append(
            {
                "title": table.title,
                "rows": site.texts.plural("edition.rows", table.rows),
                "files": [
                    {"href": prefix + f.path, "format": FORMATS.get(Path(f.path).suffix, f.path), "size": numbers.file_size(f.bytes)} for f in table.files
                ],
            }
        )
        names += [f.path for f in table.files]
    sums = checksums_of(revision)
    for name, _ in sums:
        path = revision.folder / name
        if path.suffix in (".xlsx", ".ods") and path.is_file():
            size = numbers.file_size(path.stat().st_size)
            rows.append({"title": site.texts("files.workbook"), "rows": "", "files": [{"href": prefix + name, "format": FORMATS[path.suffix], "size": size}]})
            names.append(name)
    return {"rows": rows, "sums": "\n".join(f"{found}  {name}" for name, found in sums if name in names)}


def citation(site: Site, edition: Edition, page: str) -> str:
    """How to cite an edition; ``page`` is its address below the public folder."""
    return site.texts(
        "edition.cite",
        publisher=edition.release.publisher or edition.dataset.custodians[0].name,
        year=edition.published.year,
        title=edition.title,
        revision=edition.revision.number,
        loss=loss_text(edition),
        address=f"{site.base_url}/{page}" if site.base_url else f"urn:uuid:{identifier(edition)}",
    )


def epsilon_words(texts: Texts, budget: BudgetFacts) -> tuple[str, str, float]:
    """A block's budget in words: cap and spent, and the share spent in per cent (of ρ, which adds up)."""
    share = float(Fraction(budget.spent) / Fraction(budget.cap) * 100) if budget.cap else 0.0

    def say(rho: Fraction, epsilon: float | None) -> str:
        if epsilon is not None:
            return texts("budget.eps", epsilon=f"{epsilon:.3g}")
        return texts("budget.rho", rho=f"{float(rho):.3g}")

    return say(budget.cap, budget.epsilon_cap), say(budget.spent, budget.epsilon_spent), share


def ranked_groups(groups: Sequence[Group], most: int) -> tuple[Group, ...]:
    """The highest groups."""
    return ranked(tuple(groups))[:most]
