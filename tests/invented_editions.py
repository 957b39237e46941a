"""Small editions to publish: invented estimates over an invented catalogue, made without any rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from english import TEXTS

from dp_stats.catalogue import Catalogue, load_catalogue, yaml
from dp_stats.catalogue.models import Release
from dp_stats.catalogue.periods import Period
from dp_stats.editions.describe import describe
from dp_stats.editions.edition import Edition, RevisionFacts
from dp_stats.editions.publication import PublishedEdition, publish_edition
from dp_stats.estimate.model import EditionEstimates, Estimate, TruncationEstimate
from dp_stats.outlets.index import refresh_index
from dp_stats.plan.model import ExpectedError, Measurement, Plan
from dp_stats.texts.words import Texts
from tests.builders import declared_dataset, list_of_opt_outs

AREAS = """code,name,region,region_name,uk,uk_name,population,longitude,latitude
A1,"Bristol, City of",R1,South West,K1,United Kingdom,460000,-2.6,51.45
A2,"The ""Vale"" of Ynys Môn",R1,South West,K1,United Kingdom,70000,-4.3,53.2
A3,Camden,R2,London,K1,United Kingdom,,-0.14,51.53
A4,Barnet,R2,London,K1,United Kingdom,390000,-0.2,51.65
"""
BANDS = "code,name,lower,upper\n0-39,0 to 39,0,39\n40+,40 and over,40,130\n"
SEXES = "code,name\nF,Female\nM,Male\n"
DATASET = yaml.write(
    declared_dataset(
        "cases",
        {
            "person": "person",
            "day": "date",
            "area": "code areas",
            "age": {"type": "band", "codes": "bands", "unknown": True},
            "sex": "code sexes",
            "cost": "number",
        },
        title="Confirmed cases",
        description="One row per positive test.",
        custodians=[{"name": "Example Health Agency", "user": "ada", "email": "ada@example.org"}],
        legal_basis="Health Protection Act",
        opt_outs=list_of_opt_outs("out.csv", "person"),
        budget={"epsilon": 8, "delta": "1e-6"},
    )
)
CASES = """id: cases-by-area
title: Cases by area
dataset: cases
period: week
start: 2021-02-08
schedule: "30 9 * * 4"
settle_days: 3
dimensions:
  - {name: area, title: Area, column: area, levels: [ltla, region, uk]}
  - {name: date, title: Specimen date, column: day, levels: [day, week]}
  - {name: age, title: Age, column: age, levels: [band, all]}
statistics: [{id: cases, kind: count, title: Confirmed cases, unit: cases}]
derived: [{id: rate, kind: rate, of: cases, title: "Cases per 100,000 people"}]
tables:
  - {id: area-day, title: Daily cases by area, levels: {area: ltla, date: day}, statistics: [cases]}
  - {id: area-week-age, title: Weekly cases by area and age, levels: {area: ltla, date: week, age: band}, statistics: [cases, rate]}
headline: area-day
contribution: {rows: 2}
privacy_loss: {epsilon: 1}
texts:
  summary: How many people had a positive test, by area, day and age.
  public_benefit: Shows how infection spreads.
  known_issues: [Tests at weekends are reported late.]
  theme: Health
  subtheme: Infectious disease
  keywords: [infection]
  publisher: Example Health Agency
  contact: statistics@example.org
"""
COSTS = """id: costs-by-sex
title: Costs by sex
dataset: cases
period: year
start: 2021-01-01
dimensions: [{name: sex, title: Sex, column: sex, levels: [sex]}]
statistics:
  - {id: cases, kind: count}
  - {id: cost, kind: sum, column: cost, lower: 0, upper: 500, resolution: 0.5, unit: pounds}
derived: [{id: mean-cost, kind: mean, of: cost, over: cases, unit: pounds}]
tables:
  - {id: by-sex, title: Costs by sex, levels: {sex: sex}, statistics: [cases, cost, mean-cost]}
contribution: {rows: 1, why_nothing_is_truncated: A person has one row by definition.}
privacy_loss: {epsilon: 1, delta: 1e-6}
texts: {summary: What treatment costs., theme: Economy}
"""
PUBLISHED = datetime(2021, 2, 25, 9, 30, tzinfo=UTC)


@dataclass
class Sample:
    """A declared release of one period with estimates, ready to be described and published."""

    catalogue: Catalogue
    release: Release
    period: Period
    estimates: EditionEstimates

    def edition(
        self,
        *,
        revision: int | RevisionFacts = 1,
        reason: str = "",
        published: datetime = PUBLISHED,
        texts: Texts = TEXTS,
        languages: Sequence[Texts] = (),
    ) -> Edition:
        return describe(
            self.release,
            dataset=self.catalogue.dataset_of(self.release),
            catalogue=self.catalogue,
            period=self.period,
            grid=self.catalogue.grid(self.release, self.period),
            estimates=self.estimates,
            texts=texts,
            languages=languages,
            account=ACCOUNT,
            revision=revision,
            reason=reason,
            published=published,
        )

    def publish(self, public: Path, **facts: Any) -> PublishedEdition:
        return publish_edition(self.edition(**facts), self.estimates, public, texts=TEXTS)


@dataclass(frozen=True)
class Block:
    block: str
    cap: Fraction
    spent: Fraction
    remaining: Fraction
    delta: Fraction = Fraction(1, 10**6)


@dataclass(frozen=True)
class Decision:
    approver: str = "ada"
    decision: str = "approved"
    reason: str = "of public benefit"
    at: datetime = datetime(2021, 1, 4, tzinfo=UTC)
    instead_of: str = ""


@dataclass(frozen=True)
class Account:
    blocks: tuple[Block, ...] = (
        Block("2021", Fraction(1), Fraction(1, 4), Fraction(3, 4)),
        Block("2019", Fraction(1), Fraction(0), Fraction(1)),
    )
    charges: tuple[str, ...] = ("series-1@2021",)
    approvals: tuple[Decision, ...] = (Decision(),)
    approval_asked: bool = True
    log: None = None


ACCOUNT = Account()


@pytest.fixture(autouse=True)
def do_not_wait_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of small editions are written here, and a power cut is not among what is tested."""
    monkeypatch.setattr("dp_stats.files.sync", lambda path: None)


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    folder = tmp_path_factory.mktemp("catalogue")
    for path, text in {
        "codes/areas.csv": AREAS,
        "codes/bands.csv": BANDS,
        "codes/sexes.csv": SEXES,
        "datasets/cases.yaml": DATASET,
        "releases/cases-by-area.yaml": CASES,
        "releases/costs-by-sex.yaml": COSTS,
    }.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return load_catalogue(folder)


@pytest.fixture(scope="session")
def make_sample(catalogue: Catalogue) -> Callable[..., Sample]:
    def make(name: str = "cases-by-area", period: str = "2021-W07", *, seed: int = 1) -> Sample:
        release = catalogue.release(name)
        found = catalogue.period(release, period)
        return Sample(catalogue, release, found, invent(catalogue, release, found, seed=seed))

    return make


@pytest.fixture
def sample(make_sample: Callable[..., Sample]) -> Sample:
    return make_sample()


@pytest.fixture
def costs(make_sample: Callable[..., Sample]) -> Sample:
    return make_sample("costs-by-sex", "2021")


def invent(catalogue: Catalogue, release: Release, period: Period, *, seed: int) -> EditionEstimates:
    """Estimates without any meaning, of the right shapes, with zeros and missing values among them."""
    rng = np.random.default_rng(seed)
    grid = catalogue.grid(release, period)
    tables: dict[str, dict[str, Estimate]] = {}
    for table in release.tables:
        levels = grid.complete(table.levels)
        shape = grid.shape(levels)
        for statistic in table.statistics:
            unrounded = rng.gamma(0.7, 60.0, shape) - 4
            error = np.full(shape, 4.2)
            value = np.maximum(np.rint(unrounded), 0)
            if statistic in ("rate", "mean-cost"):
                value = unrounded.copy()
                value.ravel()[-1] = np.nan
            tables.setdefault(table.id, {})[statistic] = Estimate(
                statistic=statistic,
                levels=levels,
                value=value,
                unrounded=np.where(np.isnan(value), np.nan, unrounded),
                lower=np.where(np.isnan(value), np.nan, np.maximum(unrounded - 1.96 * error, 0)),
                upper=np.where(np.isnan(value), np.nan, np.maximum(unrounded + 1.96 * error, 0)),
                standard_error=error,
            )
    truncation = TruncationEstimate(
        levels=grid.complete({}),
        truncated_rows=123.4,
        lower=100.0,
        upper=150.0,
        share=0.0123,
        truncated_persons=None,
        persons_lower=None,
        persons_upper=None,
        factor=np.full(grid.shape(grid.complete({})), 1.01),
        factor_error=np.full(grid.shape(grid.complete({})), 0.001),
        spread=0.1,
        cap=8,
    )
    return EditionEstimates(invent_plan(release, period, tables), tables, truncation)


def invent_plan(release: Release, period: Period, tables: dict[str, dict[str, Estimate]]) -> Plan:
    pure = release.privacy_loss.pure
    first = next(iter(next(iter(tables.values())).values()))
    measured = Measurement(
        id=f"{first.statistic}@{'.'.join(first.levels.values())}",
        statistic=first.statistic,
        role="statistic",
        levels=dict(first.levels),
        shape=first.value.shape,
        l1=2,
        l2_squared=4,
        scale=2.0,
        rho=Fraction(1, 2),
        epsilon=Fraction(1) if pure else None,
    )
    return Plan(
        release=release.id,
        dataset=release.dataset,
        period=period.label,
        mechanism="discrete_laplace" if pure else "discrete_gaussian",
        measurements=(measured,),
        contribution_rows=release.contribution.rows,
        one_per_cell=False,
        truncated_rows_cap=8,
        block_kind="year",
        blocks=("2021",),
        series=release.series,
        rho=Fraction(1, 2),
        pure_epsilon=Fraction(1) if pure else None,
        epsilon=5.1,
        delta=Fraction(1, 10**6),
        expected=(
            ExpectedError(
                table=release.tables[0].id,
                statistic=release.statistics[0].id,
                cells=4,
                prior_mean=None,
                margin_95=8.2,
                worst=9.0,
                relative=None,
            ),
        ),
        series_hash="b" * 64,
        hash="a" * 64,
    )


def publish_weeks_and_costs(make_sample: Callable[..., Sample], public: Path, weeks: Sequence[int], base: str) -> Path:
    """Publish weeks of 2021 of one release and the year of another, with all that lists them; returns the folder."""
    for week in weeks:
        published = datetime(2021, 2, 11 + week, 9, 30, tzinfo=UTC)
        make_sample(period=f"2021-W{week:02d}", seed=week).publish(public, published=published)
    make_sample("costs-by-sex", "2021").publish(public, published=datetime(2021, 2, 1, 9, 30, tzinfo=UTC))
    refresh_index(public, base_url=base, texts=TEXTS)
    return public
