"""How private and how accurate an edition is, in plain words and one drawing."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from dp_stats.charts import svg
from dp_stats.charts.panels import Panel
from dp_stats.charts.wording import lower_first
from dp_stats.editions.edition import BudgetFacts, Edition, StatisticFacts
from dp_stats.site.frame import Site, trusted
from dp_stats.texts import numbers
from dp_stats.texts.words import Texts


def loss_text(texts: Texts, edition: Edition) -> str:
    """The privacy loss in symbols: ``ε = 1`` or ``ε = 0.8 at δ = 0.000001``."""
    g = edition.guarantee
    if g.pure_epsilon is not None:
        return texts("budget.eps", epsilon=texts.significant(float(g.pure_epsilon), digits=4))
    delta = texts.delta(g.delta)
    return texts("private.at_delta", epsilon=texts.significant(g.epsilon), delta=delta)


def right_guesses(epsilon: float, delta: float) -> int | None:
    """How often in 100, rounded up, anyone can guess at most whether one unit's records were used, it being even before.

    For neighbouring datasets the total variation distance of what (ε, δ)-differential privacy publishes is at most
    ``(e^ε - 1 + 2δ) / (e^ε + 1)`` (Kairouz, Oh and Viswanath 2015), and the best guess is right with half of that more than
    one half: ``(e^ε + δ) / (e^ε + 1)``. None: more than 99 times in 100, which is no limit worth the name.
    """
    times = math.ceil(100 * (1 - (1 - delta) / (1 + math.exp(min(epsilon, 700)))))
    return times if times <= 99 else None


def odds_text(texts: Texts, edition: Edition) -> str:
    """What the guarantee means: how often anyone could guess at most whether one unit's records were used."""
    g = edition.guarantee
    pure = g.pure_epsilon is not None
    times = right_guesses(
        float(g.pure_epsilon) if g.pure_epsilon is not None else g.epsilon, 0 if pure else float(g.delta)
    )
    seen = texts("private.seen_series" if g.series else "private.seen_edition")
    yours = texts(f"private.yours.{g.per}")
    if times is None:
        return texts("private.odds_lost", what=seen, yours=yours)
    return texts("private.odds", what=seen, yours=yours, times=texts.number(times))


def privacy(site: Site, edition: Edition, panel: Panel | None, statistic: StatisticFacts) -> dict[str, Any]:
    """How private and how accurate an edition is, in words and one drawing."""
    texts, g = site.texts, edition.guarantee
    block = texts(f"block.{g.per}")
    figures = panel.by_area(statistic.id) if panel else ()
    if panel and len(panel.groups.codes) > 1:
        figures = panel.by_group(statistic.id)
    typical = numbers.typical_margin(x.figure for x in figures)
    decimals = numbers.decimals_for(x.figure for x in figures) if figures else 0
    margin = texts.number(numbers.rounded(typical), decimals=decimals if typical < 10 else 0)
    accurate = []
    if panel and not math.isnan(typical):
        accurate.append(
            texts(
                "private.noise",
                margin=margin,
                what=lower_first(statistic.title),
                level=lower_first(panel.areas.title or panel.groups.title or edition.headline.title),
            )
        )
        accurate.append(texts("private.differ", margin=margin))
    accurate.append(texts("private.add" if edition.quality.consistent else "private.not_add"))
    if edition.quality.truncation is not None and edition.quality.truncation.share > 0:
        truncation = edition.quality.truncation
        accurate.append(
            texts(
                "private.truncation_text",
                share=texts.percent(truncation.share, decimals=1),
                interval=f"{texts.number(max(0, truncation.lower))} {texts('figure.to')} {texts.number(truncation.upper)}",
            )
        )
    main = max((m for m in g.measured if m.role == "statistic"), key=lambda m: (m.rho, m.id), default=None)
    diagram, caption = trusted(""), ""
    if main is not None:
        unit = float(main.unit)
        typical = main.standard_deviation * unit
        noise = texts.number(numbers.rounded(typical), decimals=1 if typical < 10 else 0)
        caption = texts(
            "private.diagram_desc",
            shift=texts.number(main.l1 * unit, decimals=0 if unit >= 1 else 2),
            noise=f"±{noise}",
        )
        diagram = trusted(
            svg.noise(
                "noise",
                scale=main.scale,
                shift=float(main.l1),
                laplace=main.mechanism == "discrete_laplace",
                title=texts("private.diagram_title"),
                description=caption,
                words=(texts("private.without"), texts("private.with"), texts("private.axis")),
            )
        )
    return {
        "diagram": diagram,
        "diagram_caption": caption,
        "odds": odds_text(texts, edition),
        "loss": texts("private.loss", loss=loss_text(texts, edition), unit=g.unit, block=block),
        "accurate": accurate,
    }


def epsilon_words(texts: Texts, budget: BudgetFacts) -> tuple[str, str, float]:
    """A block's budget in words: cap and spent, and the share spent in per cent (of ρ, which adds up)."""
    share = float(Fraction(budget.spent) / Fraction(budget.cap) * 100) if budget.cap else 0.0

    def say(rho: Fraction, epsilon: float | None) -> str:
        if epsilon is not None:
            return texts("budget.eps", epsilon=texts.significant(epsilon))
        return texts("budget.rho", rho=texts.significant(float(rho)))

    return say(budget.cap, budget.epsilon_cap), say(budget.spent, budget.epsilon_spent), share
