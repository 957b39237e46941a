"""What the command line prints: plans, budgets and answers as tables for people."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from dp_stats import written
from dp_stats.errors import CatalogueError
from dp_stats.run import ledger_if_any
from dp_stats.texts.words import Texts
from dp_stats.written import count, left_after, left_of, number, share

if TYPE_CHECKING:
    from dp_stats.ledger import Ledger
    from dp_stats.operations.review import Review
    from dp_stats.plan.curve import Lasting, Point
    from dp_stats.run import Run
    from dp_stats.secure.intake import ColumnIntake, IntakeReport
    from dp_stats.settings import Settings
    from dp_stats.transparency.verifying import Checked


def print_intake(out: Console, report: IntakeReport) -> None:
    """How each column was read, and what took rows out."""
    for name, table in report.tables.items():
        title = (
            f"Table {name}: {count(table.delivered)} rows, of which {count(table.nobody)} name nobody and were left out"
        )
        out.print(_columns_read(title, table.columns))
    out.print(_columns_read("How each column was read (rows of the period; the date: all rows)", report.columns))
    lost = Table(title=f"What became of {count(report.read)} rows (of {count(report.delivered)} in the source)")
    lost.add_column("rule")
    lost.add_column("rows", justify="right")
    for rule, rows in report.lost.items():
        lost.add_row(f"lost: {rule}", count(rows))
    lost.add_row("counted", count(report.counted))
    out.print(lost)
    if report.empty_days:
        out.print(f"Open days without a row, or with hardly any: {', '.join(report.empty_days)}")


def _columns_read(title: str, columns: Mapping[str, ColumnIntake]) -> Table:
    read = Table(title=title)
    for heading in ("column", "rows", "as declared", "empty", "unknown", "unreadable", "what most of these are"):
        read.add_column(heading, justify="left" if heading in ("column", "what most of these are") else "right")
    for name, column in columns.items():
        counts = (column.rows, column.as_declared, column.empty, column.unknown, column.unreadable)
        hints = [f"{count(column.moments)} moments without 'timezone'"] if column.moments else []
        hints += [f"{count(column.fractions)} whole numbers with '.0' without 'digits'"] if column.fractions else []
        read.add_row(name, *(count(number) for number in counts), "; ".join(hints))
    return read


def review_table(review: Review) -> Table:
    """What each release costs in a year."""
    table = Table(title="Releases and what a year of them costs")
    for heading in ("release", "dataset", "editions per block", "ρ per block", "mechanism"):
        table.add_column(heading, justify="right" if "ρ" in heading or "per" in heading else "left")
    for item in review.releases:
        table.add_row(
            item.release.id,
            item.dataset.id,
            str(item.editions_per_block),
            written.rho(item.rho_per_block),
            item.plan.mechanism.replace("discrete_", ""),
        )
    return table


def print_budgets(out: Console, review: Review) -> None:
    """What a year leaves of each dataset's budget, in shares of it, and what a pure ε weighs there."""
    from dp_stats.plan.accounting import epsilon_at

    table = Table(title="Each budget after a year of all releases")
    for heading in ("dataset", "per", "budget", "scheduled", "made by hand", "left"):
        table.add_column(heading, justify="left" if heading in ("dataset", "per", "budget") else "right")
    for one in review.budgets:
        cap = f"ε = {written.epsilon(epsilon_at(one.cap, one.delta))} at δ = {written.delta(one.delta)}"
        parts = (share(part / one.cap) for part in (one.scheduled, one.by_hand, one.left))
        table.add_row(one.dataset.id, one.dataset.privacy_unit.per, cap, *parts)
    out.print(table)
    for one in review.budgets:
        if one.years is not None:
            out.print(
                f"{one.dataset.id}: this budget is for all days, and such a year is charged to it anew each year. It pays for "
                f"{written.count(one.years)} of them; then nothing more is measured from these records."
            )
        if one.pure is not None:
            pure, rho = one.pure
            out.print(
                f"{one.dataset.id}: a pure ε of {written.epsilon(pure)} weighs as much here as ε = "
                f"{written.epsilon(epsilon_at(rho, one.delta))} at δ = {written.delta(one.delta)} would: losses add up in ρ, "
                f"and noise that keeps a pure ε costs ρ = {written.rho(rho)}."
            )


def print_standing(out: Console, run: Run) -> None:
    """What the ledger says of a plan: already charged, a new charge, or no room for it."""
    ledger = ledger_if_any(run.settings)
    if ledger is None:
        out.print("No ledger yet: this would be the first charge.")
        return
    quote = ledger.quote(
        run.plan,
        dataset=run.dataset,
        holders=run.holders,
        revision=run.revision,
        formerly=run.release.formerly,
    )
    if quote.refusals:
        out.print("[red]Does not fit the budget:[/]")
        for line in quote.refusals:
            out.print(f"  {line}", markup=False)
    elif quote.free:
        out.print("[green]Already charged:[/] running it charges nothing new.")
    else:
        left = left_after(quote.parts_left)
        out.print(
            f"[green]New charge[/] of ρ = {written.rho(quote.rho)} in {', '.join(quote.charged)}. It leaves {left}."
        )
        for one in quote.drawn:
            left = left_of(f"'{one.before.dataset}'", one.after / one.before.cap)
            out.print(
                f"Its records are those of '{one.before.dataset}', which pays ρ = {written.rho(one.rho)}. It leaves {left}."
            )


def print_plan(out: Console, run: Run) -> None:
    """The plan as a person reads it: cost, what is measured, and how accurate each table will be."""
    from dp_stats.texts.warnings import full

    plan = run.plan
    out.print(f"[bold]{run.release.title}[/], {run.period.text} ({plan.edition})")
    pure = f"pure ε = {written.epsilon(plan.pure_epsilon)}; " if plan.pure_epsilon else ""
    shared = "once for all editions in the block" if plan.series else "for this edition"
    out.print(
        f"Costs {pure}ε = {written.epsilon(plan.epsilon)} at δ = {written.delta(plan.delta)} (ρ = {written.rho(plan.rho)}) "
        f"{shared}, of each {run.dataset.privacy_unit.name}'s budget in {', '.join(plan.blocks)}. "
        f"At most {plan.contribution_rows} rows of one {run.dataset.privacy_unit.name} count."
    )
    for draw in plan.draws:
        out.print(
            f"Each block also costs '{draw.dataset}' ρ = {written.rho(plan.rho * draw.times)} of its budget for all days, because "
            "its records are used."
        )
    if again := run.charged_again():
        out.print(
            f"[yellow]This starts a new series:[/] {' and '.join(again)} would be charged ρ = {written.rho(plan.rho)} again, "
            "because what bounds or measures it was edited. Undo the edit, or run it with --new-series."
        )
    measured = Table(title="What is measured")
    for heading in ("table", "cells", "noise", "standard deviation", "share of ρ"):
        measured.add_column(heading, justify="left" if heading in ("table", "noise") else "right")
    late = [m for one in plan.late[:1] for m in one.measurements]
    for m in (*plan.measurements, *late):
        levels = " × ".join(v for k, v in m.levels.items() if len(run.grid[k].level(v).codes) > 1) or "total"
        cells = 1
        for size in m.shape:
            cells *= size
        role = {
            "statistic": m.statistic,
            "truncated_rows": "rows truncated",
            "truncated_persons": "persons truncated",
            "late_statistic": f"late {m.statistic}",
            "late_rows": "late rows",
        }[m.role]
        noise = plan.mechanism.replace("discrete_", "")
        deviation = number(m.variance**0.5 * float(m.unit))
        part = "nothing more" if m in late else share(m.rho / plan.rho)
        measured.add_row(f"{role}: {levels}", count(cells), noise, deviation, part)
    out.print(measured)
    if plan.late:
        labels = ", ".join(one.label for one in plan.late)
        out.print(
            f"Late rows of {labels} are measured, too, and these periods are published again; that costs nothing more."
        )
    expected = Table(title="Expected margins of error (95 %)")
    for heading in ("table", "statistic", "values", "± typical", "± between", "± widest", "of a mean of"):
        expected.add_column(heading, justify="left" if heading in ("table", "statistic") else "right")
    for e in plan.expected:
        mean = number(e.prior_mean) if e.prior_mean else "–"
        between = " to ".join(number(end) for end in e.between) if e.between else ""
        expected.add_row(e.table, e.statistic, count(e.cells), number(e.margin_95), between, number(e.worst), mean)
    out.print(expected)
    texts = Texts.of(run.settings)
    for warning in plan.warnings:
        out.print(f"[yellow]Warning:[/] {full(texts, warning)}")


def print_plan_warnings(out: Console, review: Review, settings: Settings) -> None:
    """What the plan of each release warns of."""
    from dp_stats.texts.warnings import full

    texts = Texts.of(settings)
    for item in review.releases:
        for warning in item.plan.warnings:
            out.print(f"[yellow]Warning:[/] {item.release.id}: {full(texts, warning)}")


def print_ledger(out: Console, ledger: Ledger, dataset: str | None, *, as_json: bool) -> None:
    """Budgets per dataset and block."""
    blocks = ledger.blocks(dataset)
    if as_json:
        rows = [
            {k: str(getattr(b, k)) for k in ("dataset", "block", "cap", "spent", "reserved", "remaining")}
            for b in blocks
        ]
        out.print_json(json.dumps(rows))
        return
    table = Table(title="Privacy budget, per person and block")
    for heading in ("dataset", "block", "cap ρ", "spent ρ", "reserved ρ", "left ρ", "spent ε", "of ε"):
        table.add_column(heading, justify="left" if heading in ("dataset", "block") else "right")
    for b in blocks:
        losses = map(written.rho, (b.cap, b.spent, b.reserved, b.remaining))
        table.add_row(b.dataset, b.block, *losses, *(written.epsilon(b.epsilon(part)) for part in ("spent", "cap")))
    out.print(table)


def print_checked(out: Console, address: str, checked: Checked) -> None:
    """What was checked of a published site, what was not, and the head to keep."""
    out.print(f"[green]{address} holds together.[/] From its published files alone:", soft_wrap=True)
    said = [
        f"The log has {checked.head.size} lines: {checked.charges} charges and {checked.editions} editions. Each head is the root "
        "of all lines before it, so each goes on from the one before, and nothing was taken out.",
        "Each edition has the facts that the log holds by checksum, a proof of its own, and charges that were made for it alone "
        "(or for its series) and are no smaller than its loss.",
        "What each edition shows as spent is what all charges before it add up to, exactly.",
    ]
    if checked.since is not None:
        said.append(f"It goes on from what you kept (a head after {checked.since.size} lines).")
    for line in said:
        out.print(f"  • {line}", soft_wrap=True)
    if checked.lost is not None:
        out.print(
            "[yellow]An earlier ledger was lost:[/] its log of "
            f"{checked.lost.size} lines ended, and this one began anew. What was spent before is not in these figures.",
            soft_wrap=True,
        )
    table = Table(title="Spent, exactly, since the log began")
    for heading in ("dataset", "block", "spent ρ", "of that on nothing published here"):
        table.add_column(heading, justify="left" if heading in ("dataset", "block") else "right")
    for (dataset, block), spent in checked.spent.items():
        unnamed = checked.unnamed.get((dataset, block), 0)
        table.add_row(dataset, block, number(float(spent)), number(float(unnamed)) if unnamed else "nothing")
    out.print(table)
    out.print("Not checked, because no public log can show it:")
    for line in (
        "that nothing was measured without a charge, in another dataset's name, or with less noise than is stated;",
        "that everybody is shown this same log: compare the head below with what others see, or with what you keep;",
        "what was spent on requests, restricted releases and editions still to come: amounts only, not what for;",
        "the tables of each edition: run `sha256sum -c SHA256SUMS` in its folder; its facts and checksums are in the log.",
    ):
        out.print(f"  • {line}", soft_wrap=True)
    out.print(f"Keep this head, and give it with --since next time:\n{checked.head}", soft_wrap=True)


def read_conditions(conditions: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """``['area=E12000001,E12000002']`` → ``{'area': ('E12000001', 'E12000002')}``."""
    read: dict[str, tuple[str, ...]] = {}
    for condition in conditions:
        name, equals, codes = condition.partition("=")
        if not equals or not codes:
            raise CatalogueError(f"'{condition}' is no condition. Write DIMENSION=CODE, for example area=E12000007.")
        read[name.strip()] = tuple(code.strip() for code in codes.split(","))
    return read


def print_answer(out: Console, answer: Any, *, as_json: bool) -> None:
    """An answer with its interval and the editions it comes from."""
    facts = {
        "statistic": answer.statistic,
        "value": answer.value,
        "lower_95": answer.lower,
        "upper_95": answer.upper,
        "editions": list(answer.editions),
        "breaks": [
            {**asdict(one), "since": one.since.isoformat(), "before": list(one.before), "after": list(one.after)}
            for one in answer.breaks
        ],
    }
    if as_json:
        out.print_json(json.dumps(facts))
        return
    out.print(
        f"[bold]{number(answer.value)}[/] (95 % interval {number(answer.lower)} to {number(answer.upper)}), at no cost. "
        f"From {len(answer.editions)} edition{'s' if len(answer.editions) > 1 else ''}: {', '.join(answer.editions)}"
    )
    for one in answer.breaks:
        out.print(f"[yellow]Break in the series:[/] {one.said}", soft_wrap=True)


def print_curve(out: Console, run: Run, *, chart: Path | None, wanted: str | None) -> None:
    """Margins of error against ε, the cost of a wanted accuracy, and how long the budget lasts."""
    from dp_stats.plan import curve

    points = curve.curve(run.catalogue, run.release, run.period)
    table = Table(title="Typical margin of error (±, 95 %) at each ε")
    for heading in ("table", "statistic", *(f"ε = {written.epsilon(p.epsilon)}" for p in points)):
        table.add_column(heading, justify="left" if heading in ("table", "statistic") else "right")
    for key in points[0].margins:
        table.add_row(*key, *(number(p.margins[key]) for p in points))
    out.print(table)
    out.print(_lasting(curve.lasting(run.plan, run.release, run.dataset.budget), run))
    if wanted:
        name, equals, margin = wanted.partition("=")
        table_id, _, statistic = name.partition(".")
        if not equals or not statistic or not re.fullmatch(r"[\d.]+", margin):
            raise CatalogueError(
                f"'{wanted}' is no accuracy. Write TABLE.STATISTIC=MARGIN, for example area-week.cases=10."
            )
        found = curve.cost_of(
            run.catalogue, run.release, run.period, table=table_id, statistic=statistic, margin=float(margin)
        )
        out.print(
            f"±{margin} on {name} costs ε = {written.epsilon(found.epsilon)} (ρ = {written.rho(found.rho)}), "
            f"with {found.mechanism.replace('discrete_', '')} noise."
        )
    if chart:
        draw_curve(points, run.release.title, chart)
        out.print(f"Wrote {chart}")


def _lasting(lasting: Lasting, run: Run) -> str:
    block, part = run.dataset.privacy_unit.per, share(lasting.share, decimals=0)
    if not lasting.affordable:
        return f"The budget does not pay for this: it takes {part} of what may be spent per {block}."
    if lasting.years is not None:
        return f"The budget pays for {number(lasting.years)} years of this release, if nothing else spends it."
    if lasting.editions is None:
        return f"One charge of {part} of what may be spent per {block} pays for all its editions, every {block}."
    return f"The budget pays for {lasting.editions} editions per {block} ({part} each), every {block}."


def draw_curve(points: Sequence[Point], title: str, path: Path) -> None:
    """A chart of margins of error against ε on logarithmic axes, as SVG or PNG by the file's ending."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    epsilons = [float(p.epsilon) for p in points]
    for key in points[0].margins:
        margins = [p.margins[key] for p in points]
        (line,) = axes.loglog(epsilons, margins, marker="o", markersize=3)
        axes.annotate(
            " · ".join(key),
            (epsilons[-1], margins[-1]),
            xytext=(6, 0),
            textcoords="offset points",
            color=line.get_color(),
            fontsize=8,
            va="center",
            annotation_clip=False,
        )
    axes.set(title=f"{title}: what accuracy costs", xlabel="privacy loss ε", ylabel="± margin of error (95 %)")
    axes.grid(visible=True, which="both", alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
