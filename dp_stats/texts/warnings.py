"""What a plan warns of, in words: the sentence alone, or with the table and the statistic that it is about."""

from __future__ import annotations

from dp_stats.plan.warnings import AboveCeiling, AboveMean, PlanWarning, UndeclaredRepeats, UnmeasuredTruncation
from dp_stats.texts import numbers
from dp_stats.texts.words import Texts


def sentence(texts: Texts, warning: PlanWarning) -> str:
    """The warning without the names of the table and the statistic that it is about."""
    key = f"plan.warnings.{warning.kind}"
    match warning:
        case UnmeasuredTruncation(rows=rows) | UndeclaredRepeats(rows=rows):
            return texts(key, rows=numbers.number(rows))
        case AboveCeiling(margin_95=margin, ceiling=ceiling):
            return texts(key, margin=numbers.significant(margin), ceiling=numbers.significant(ceiling, digits=6))
        case AboveMean(margin_95=margin, prior_mean=mean):
            return texts(key, margin=numbers.significant(margin), mean=numbers.significant(mean))
        case _:
            return texts(key)


def place(warning: PlanWarning) -> tuple[str, str] | None:
    """The ids of the table and the statistic that a warning is about; None where it is about the whole plan."""
    return (warning.table, warning.statistic) if isinstance(warning, AboveCeiling | AboveMean) else None


def full(texts: Texts, warning: PlanWarning) -> str:
    """The warning with the ids of what it is about, as the people who declare and approve know them."""
    about = place(warning)
    said = sentence(texts, warning)
    return said if about is None else texts("plan.about", table=about[0], statistic=about[1], text=said)
