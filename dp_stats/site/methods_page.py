"""The method page of one release: the guarantee as facts, what was measured, what to expect."""

from __future__ import annotations

from typing import Any

from dp_stats.charts.outline import Outline
from dp_stats.charts.panels import Panel
from dp_stats.charts.reading import ReleaseView
from dp_stats.editions import claims
from dp_stats.editions.edition import Edition, ExpectedFacts, GuaranteeFacts, NoteFacts
from dp_stats.editions.privacy_record import FILE_NAME as GUARANTEE
from dp_stats.editions.registry_record import FILE_NAME as REGISTERED
from dp_stats.site import linked, privacy_panel
from dp_stats.site.frame import Cell, Row, Rows, Site, trusted


def methods_page(site: Site, view: ReleaseView, story: Outline, panel: Panel | None) -> None:
    """``<release>/methods.html``: the guarantee, what was measured, expected accuracy, and the method in words."""
    texts, latest = site.texts, view.latest
    edition = latest.edition
    sections = [("words", "words"), ("guarantee", "guarantee"), ("measured", "measured")]
    sections += [("expected", "expected")] if edition.quality.expected else []
    listed = [(id, texts(f"private.{key}")) for id, key in sections]
    listed.append(("method", texts("methodology.title")))
    practice = claims.practice(edition.release, texts)
    listed += [("practice", texts("practice.title"))] if practice else []
    issues = list(edition.release.known_issues) + [_named(view, note) for note in edition.quality.notes]
    if issues:
        listed.append(("issues", texts("release.known")))
    title = texts("private.title")
    lead = texts("private.lead", release=edition.release.title)
    kept = [name for name in (GUARANTEE, REGISTERED) if (latest.folder / name).is_file()]  # early editions have one
    record = f"{edition.period.label}/r{edition.revision.number}/{kept[0]}" if kept else ""
    site.render(
        "methods.html",
        f"{view.id}/methods.html",
        linked=linked.page(
            site, name=f"{title}: {edition.release.title}", description=lead, path=f"{view.id}/methods.html"
        ),
        title=title,
        release=edition.release.title,
        lead=lead,
        trail=[(texts("site.home"), "../index.html"), (edition.release.title, "index.html")],
        sections=listed,
        privacy=privacy_panel.privacy(site, edition, panel, story.metric),
        guarantee=guarantee(site, edition),
        record=record,
        measured=_measured(site, edition.guarantee),
        expected=_expected(site, view) if edition.quality.expected else None,
        body=trusted(texts.page("method")),
        practice=practice,
        issues=issues,
    )


def guarantee(site: Site, edition: Edition) -> list[tuple[str, Any]]:
    """The guarantee as (label, text or list)."""
    texts, g = site.texts, edition.guarantee
    mechanism = texts("private.laplace" if g.mechanism == "discrete_laplace" else "private.gaussian")
    return [
        (texts("private.unit"), g.unit_description),
        (texts("private.neighbouring"), g.neighbouring),
        (
            texts("private.rho"),
            f"{privacy_panel.loss_text(texts, edition)}; {texts('budget.rho', rho=texts.significant(float(g.rho), digits=4))}",
        ),
        (texts("private.mechanism"), mechanism[:1].upper() + mechanism[1:]),
        (texts("private.bound"), g.why_nothing_is_truncated or g.bound_description),
        (texts("private.composition"), g.composition),
        (texts("private.not_protected"), list(g.not_protected)),
        (texts("private.processing"), list(g.post_processing)),
        (texts("private.why"), g.justification),
        (texts("private.protections"), list(g.protections.values())),
        (texts("register.approvals"), claims.approvals([edition], texts)),
        (texts("register.requested"), claims.asked_for(edition.release, texts)),
        (texts("register.optouts"), claims.opt_outs(edition.dataset, texts)),
        *((texts("register.linked"), one) for one in claims.links(edition.dataset, texts)),
        *([(texts("register.agreement"), agreed)] if (agreed := claims.agreement(edition.dataset, texts)) else []),
        *([(texts("register.draws"), claims.draws(edition, texts))] if edition.draws else []),
        (texts("private.libraries"), ", ".join(f"{k} {v}" for k, v in g.libraries.items())),
    ]


def _measured(site: Site, g: GuaranteeFacts) -> Rows:
    """What was measured, with how much noise and at which part of the cost."""
    texts = site.texts
    late = ("late_statistic", "late_rows")  # within what the other tables cost
    total = sum((m.rho for m in g.measured if m.role not in late), start=g.rho * 0) or 1
    return Rows(
        texts("private.measured_caption"),
        [
            Cell(texts("private.table")),
            *(Cell(texts(f"private.{k}"), n=True) for k in ("cells", "scale", "deviation", "cost")),
        ],
        [
            Row(
                m.id.replace(".", ".\u200b").replace("@", "@\u200b"),
                (
                    Cell(texts.number(m.cells), n=True),
                    Cell(texts.significant(m.scale, digits=4), n=True),
                    Cell(texts.significant(m.standard_deviation, digits=4), n=True),
                    Cell("" if m.role in late else texts.percent(float(m.rho / total)), n=True),
                ),
            )
            for m in g.measured
        ],
    )


def _expected(site: Site, view: ReleaseView) -> Rows:
    """How accurate the published values were expected to be."""
    texts, edition = site.texts, view.latest.edition
    return Rows(
        texts("private.expected_caption"),
        [
            Cell(texts("private.table")),
            Cell(texts("private.cells"), n=True),
            Cell(texts("private.typical"), n=True),
            Cell(texts("private.worst"), n=True),
        ],
        [
            Row(
                _published_name(view, e.table, e.statistic),
                (
                    Cell(texts.number(e.cells), n=True),
                    Cell(f"±{texts.significant(e.margin_95)}{_between(site, e)}", n=True),
                    Cell(f"±{texts.significant(e.worst)}", n=True),
                ),
            )
            for e in edition.quality.expected
        ],
    )


def _between(site: Site, expected: ExpectedFacts) -> str:
    """The range of a typical margin in brackets, where it depends on how much areas and groups differ."""
    if expected.lowest is None or expected.highest is None:
        return ""
    ends = (f"±{site.texts.significant(end)}" for end in (expected.lowest, expected.highest))
    return " ({} {} {})".format(next(ends), site.texts("figure.to"), next(ends))


def _named(view: ReleaseView, note: NoteFacts) -> str:
    """A note with the titles of the table and the statistic that it is about."""
    if note.table:
        return f"{_published_name(view, note.table, note.statistic)}: {note.text}"
    return f"{view.latest.edition.statistic(note.statistic).title}: {note.text}" if note.statistic else note.text


def _published_name(view: ReleaseView, table: str, statistic: str) -> str:
    edition = view.latest.edition
    try:
        return f"{edition.table(table).title}: {edition.statistic(statistic).title}"
    except KeyError:
        return f"{table}: {statistic}"
