"""How private and how accurate an edition is, in plain words and one drawing."""

from __future__ import annotations

import math
from typing import Any

from dp_stats.charts import svg
from dp_stats.charts.panels import Panel
from dp_stats.charts.wording import lower_first
from dp_stats.editions.edition import Edition, StatisticFacts
from dp_stats.outlets import budgets
from dp_stats.outlets.budgets import BlockSpend, DatasetSpend
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


def times_text(texts: Texts, epsilon: float, delta: float) -> str:
    """``at most 74 times in 100``."""
    times = right_guesses(epsilon, delta)
    return texts("private.times_lost") if times is None else texts("private.times", times=texts.number(times))


def odds_text(texts: Texts, edition: Edition) -> str:
    """What the guarantee means: how often anyone could guess at most whether one unit's records were used."""
    return texts(
        "private.odds",
        yours=texts(f"private.yours.{edition.guarantee.per}"),
        what=texts("private.seen_series" if edition.guarantee.series else "private.seen_edition"),
        times=times_text(texts, *_own_loss(edition)),
    )


def _own_loss(edition: Edition) -> tuple[float, float]:
    """ε and δ of one edition or series."""
    g = edition.guarantee
    return (float(g.pure_epsilon), 0.0) if g.pure_epsilon is not None else (g.epsilon, float(g.delta))


def odds_of_all_text(texts: Texts, edition: Edition, spend: DatasetSpend | None) -> str:
    """The same for everything that was made from the dataset, of the edition's block that has spent most; empty where unknown."""
    blocks = [spend.blocks[name] for name in edition.guarantee.blocks if name in spend.blocks] if spend else []
    if spend is None or not blocks:
        return ""
    block = max(blocks, key=lambda b: (b.spent, b.block))
    spent, cap = budgets.amounts(texts, block)
    per = "lifetime" if edition.guarantee.per == "lifetime" else "block"
    return texts(
        "private.odds_all",
        what=texts(
            f"private.seen_all.{per}",
            dataset=edition.dataset.title,
            block=block.block,
            day=texts.day(spend.as_of.date()),
        ),
        times=times_text(texts, block.epsilon_spent, float(block.delta)),
        loss=_at_delta(texts, spent, block),
        most=times_text(texts, block.epsilon_cap, float(block.delta)),
        most_loss=_at_delta(texts, cap, block),
    )


def _at_delta(texts: Texts, epsilon: str, block: BlockSpend) -> str:
    return texts("private.at_delta", epsilon=epsilon, delta=texts.delta(block.delta))


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
        "odds_of_all": odds_of_all_text(texts, edition, site.budgets.get(edition.dataset.id)),
        "loss": texts("private.loss", loss=loss_text(texts, edition), unit=g.unit, block=block),
        "accurate": accurate,
    }
