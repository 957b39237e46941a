"""What the command line says of contribution bounds: which suits a release, and what earlier editions tell of repeats."""

from __future__ import annotations

from math import exp

from rich.console import Console
from rich.table import Table

from dp_stats import written
from dp_stats.run import Run
from dp_stats.written import number, share


def print_bounds(out: Console, run: Run) -> None:
    """What several contribution bounds would truncate, the noise that they need, and which is recommended; where nobody has
    declared how often people repeat, what an earlier edition's noisy counts say of it."""
    from dp_stats.plan import bounds

    bound = run.release.contribution
    if not bound.repeats:
        if not bound.why_nothing_is_truncated and (said := _repeats_of_an_earlier_edition(run)):
            out.print(said, markup=False)
        return
    choices = bounds.bounds(run.catalogue, run.release, run.period)
    best = bounds.best_bound(choices)
    if best is None:
        out.print("Which contribution bound is best cannot be said: declare expected_total of the statistics.")
        return
    caps = bounds.caps(run.catalogue, run.release, run.period, best.rows)
    table, statistic = next(iter(best.error))
    shown = Table(title=f"Contribution bounds, from the declared guess of repeats: {table}.{statistic}")
    for heading in ("rows per person", "rows truncated", "bias uncorrected", "± of noise alone", "total error", ""):
        shown.add_column(heading, justify="right")
    for choice in choices:
        first = table, statistic
        numbers = (choice.bias[first], choice.margin[first], choice.error[first])
        mark = "← recommended" if choice.rows == best.rows else ""
        shown.add_row(str(choice.rows), share(choice.truncated_share), *map(number, numbers), mark)
    out.print(shown)
    smallest = bounds.best_cap(best, caps)
    advice = f"Recommended: contribution.rows: {best.rows}"
    if smallest is not best:
        advice += f" with truncated_rows: {smallest.cap}, which makes errors {share(1 - exp(smallest.score - best.score))} smaller"
    out.print(f"{advice}. Total error is of noise and bias together in what is published; recommended by all tables.")


def _repeats_of_an_earlier_edition(run: Run) -> str:
    """A guess of repeats to declare, from what the newest published edition tells everybody; empty where it tells nothing."""
    from dp_stats.editions.edition import Edition
    from dp_stats.editions.latest import newest
    from dp_stats.editions.truncated import seen_in
    from dp_stats.plan.repeats import repeats_seen

    folder = newest(run.published_in, run.release.id)
    seen = seen_in(Edition.load(folder)) if folder else None
    found = repeats_seen(seen) if seen else {}
    if not found:
        return ""
    guess = ", ".join(f"{rows}: {written.declared(part)}" for rows, part in found.items())
    return (
        "What the newest edition published of truncated rows and persons suggests, at no cost, to declare under contribution:\n"
        f"  repeats: {{{guess}}}\nThen this command compares contribution bounds."
    )
