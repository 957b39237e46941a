"""Accuracy asked is accuracy bought: no plan that could be chosen gives a request's margin for much less of the budget."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dp_stats.catalogue import Catalogue, Period, Release, load_catalogue, parse_period
from dp_stats.catalogue.models import PrivacyLoss
from dp_stats.errors import CatalogueError
from dp_stats.plan import make, make_plan
from dp_stats.plan.algebra import key_of
from dp_stats.plan.truncation import PERSONS, SHARES, TruncationShare, choose_truncation, measures_truncation
from dp_stats.requests.asked_release import make_release
from dp_stats.requests.preflight import loss_for, pure
from dp_stats.requests.questions import read_question
from dp_stats.settings import shipped
from dp_stats.texts.words import Texts

TEXTS = Texts.load(shipped("reports"))
PURPOSE = "To plan how many nurses are needed."
MOST = 1.2
"""What is charged, as a multiple of the least that any plan needs."""


def asked(catalogue: Catalogue, form: dict[str, Any]) -> tuple[Catalogue, Release, Period]:
    """The release of a form, at the loss that the product would charge."""
    question = read_question({"dataset": "visits", "purpose": PURPOSE, **form}, catalogue)
    loss = loss_for(question, catalogue, requested_by="ann", texts=TEXTS)
    release = make_release(question, catalogue, requested_by="ann", loss=loss, texts=TEXTS)
    return catalogue.with_release(release), release, parse_period(question.period)


def plan_at(catalogue: Catalogue, release: Release, period: Period, loss: PrivacyLoss) -> tuple[Fraction, float]:
    """What a plan at a loss costs in ρ, and its margin."""
    make._chosen.clear()
    other = release.model_copy(update={"privacy_loss": loss})
    plan = make_plan(catalogue.with_release(other), other, period)
    return plan.rho, plan.expected[0].margin_95


def losses() -> Iterator[Any]:
    """Both forms of a loss, by the ρ that it roughly has."""
    yield lambda rho: PrivacyLoss(rho=Fraction(rho).limit_denominator(10**9), epsilon=None, delta=None)
    yield lambda rho: PrivacyLoss(epsilon=Fraction((2 * rho) ** 0.5).limit_denominator(10**6), rho=None, delta=None)


def least(catalogue: Catalogue, release: Release, period: Period, margin: float, start: float) -> float:
    """The smallest ρ at which a margin is reached, by either mechanism."""
    found = []
    for form in losses():
        rho = start
        for _ in range(6):
            cost, reached = plan_at(catalogue, release, period, form(rho))
            if reached <= margin:
                found.append(float(cost))
            if 0.98 * margin <= reached <= margin:
                break
            rho = min(rho * (reached / margin) ** 2 * 1.005, 150)
    return min(found, default=float("inf"))


@pytest.mark.slow
@given(
    rows=st.integers(1, 6),
    total=st.sampled_from([None, 200, 600, 40_000]),
    repeats=st.sampled_from([None, {1: 0.9, 2: 0.1}, {1: 0.5, 4: 0.3, 9: 0.2}]),
    by=st.sampled_from([[], ["clinic/district"], ["clinic/clinic"], ["clinic/clinic", "day/week"]]),
    statistic=st.sampled_from(["count", "persons"]),
    margin=st.sampled_from([2, 10, 60, 300]),
    other=st.tuples(st.sampled_from(SHARES), st.sampled_from(PERSONS)),
)
@settings(
    max_examples=6, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_plan_gives_the_margin_for_much_less(
    clinic: Any, rows: int, total: int | None, repeats: Any, by: list[str], statistic: str, margin: float, other: Any
) -> None:
    clinic.change(
        "releases/visits.yaml",
        contribution={"rows": rows, **({"repeats": repeats} if repeats else {})},
        statistics=[{"id": "visits", "kind": "count", **({"expected_total": total} if total else {})}],
    )
    form = {"by": by, "statistic": statistic, "margin": margin, "period": "2024-01"}
    try:
        known, release, period = asked(load_catalogue(clinic.folder), form)
    except CatalogueError:
        return  # so accurate is nothing that may be asked for
    charged, reached = plan_at(known, release, period, release.privacy_loss)
    assert reached <= margin
    assert charged <= MOST * least(known, release, period, margin, float(charged) / 2)
    if statistic == "persons" or not measures_truncation(release):
        return
    share, persons = other
    own = make.choose_truncation

    def another(grid: Any, *arguments: Any) -> list[TruncationShare]:
        chosen = choose_truncation(grid, *arguments)
        level = chosen[0].levels
        return [
            TruncationShare("truncated_rows", "count", level, share * (1 - persons)),
            TruncationShare("truncated_persons", "count", key_of(grid, {}), share * persons),
        ]

    make.choose_truncation = another  # type: ignore[assignment]
    try:
        assert charged <= MOST * least(known, release, period, margin, float(charged))
    finally:
        make.choose_truncation = own
        make._chosen.clear()


def test_a_margin_by_nation_costs_what_it_needs(clinic: Any) -> None:
    """±300 of tens of thousands was charged ε 0.966 where 0.077 is enough."""
    clinic.change(
        "releases/visits.yaml",
        contribution={"rows": 2, "truncated_rows": 2, "repeats": {1: 0.93, 2: 0.055, 3: 0.012, 4: 0.003}},
        statistics=[{"id": "visits", "kind": "count", "expected_total": 20000}],
    )
    catalogue = load_catalogue(clinic.folder)
    form = {"by": ["clinic/district"], "margin": 300, "period": "2024-01"}
    known, release, period = asked(catalogue, form)
    charged, _ = plan_at(known, release, period, release.privacy_loss)
    assert float(charged) < 0.077**2 / 2
    laplace, reached = plan_at(known, release, period, pure(0.04))
    assert reached > 300 or laplace > charged, "Laplace noise needs more of the budget for the same margin"
