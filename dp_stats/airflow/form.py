"""The form by which figures of one dataset are asked for, made from the catalogue: what can be asked is what is declared.

Limits stand under ``allOf``, which Airflow's server holds values against; a ``maximum`` of the field itself would make its
page change what was typed without a word.
"""

from __future__ import annotations

from airflow.sdk import Param

from dp_stats.catalogue import Catalogue, Dataset
from dp_stats.catalogue.models import SMALLEST_EPSILON
from dp_stats.requests.questions import LARGEST_REQUESTED_EPSILON, MEASURED, STATISTICS, levels_of, populated
from dp_stats.written import declared, share

COUNTED = {
    "count": "Number of records",
    "persons": "Number of different people",
    "sum": "Sum of a number column",
    "mean": "Mean of a number column",
    "rate": "Records per so many people who live there",
}


def form(catalogue: Catalogue, dataset: Dataset) -> dict[str, Param]:
    """Fields, in the order they are shown. The first task checks the values again, whoever sends them."""
    numbers = sorted(name for name, column in dataset.columns.items() if column.type == "number")
    return {
        **_figures(catalogue, dataset, numbers),
        **_accuracy(dataset),
        **_use(),
        **_agreed(catalogue, dataset),
        **_advanced(),
        **_sums(numbers),
    }


def breakdowns(catalogue: Catalogue, dataset: Dataset) -> dict[str, str]:
    """``column/level`` → what readers call it, by the titles that the dataset's releases declare."""
    like = catalogue.declared_of(dataset)
    specs = [spec for release in like for spec in release.dimensions]
    agreement = catalogue.agreement_of(dataset)
    known = levels_of(catalogue, dataset)
    codes = {column: levels[0] for column, levels in known.items() if dataset.columns[column].codes and levels}
    found = {}
    for column, levels in known.items():
        own = [spec for spec in specs if spec.column == column]
        title = next((spec.title for spec in own if spec.title), "") or column.replace("_", " ").capitalize()
        names = {level: name for spec in reversed(own) for level, name in spec.level_titles.items()}
        for level in levels:
            if agreement is not None and not agreement.allows(column, "code" if level == codes.get(column) else level):
                continue
            found[f"{column}/{level}"] = f"{title}: {names.get(level, level.replace('-', ' '))}"
    return found


def _figures(catalogue: Catalogue, dataset: Dataset, numbers: list[str]) -> dict[str, Param]:
    """Which figures: statistic, levels, places and time; and whether only to try."""
    by = breakdowns(catalogue, dataset)
    known = {"sum": bool(numbers), "mean": bool(numbers), "rate": bool(populated(catalogue, dataset.id))}
    agreement = catalogue.agreement_of(dataset)
    agreed = {shared.kind for shared in agreement.statistics} if agreement else {"count", "persons", "sum"}
    statistics = [n for n in STATISTICS if known.get(n, True) and agreed.issuperset(MEASURED.get(n, (n,)))]
    return {
        "try_it": Param(
            False,
            type="boolean",
            title="Try it: only say what it costs",
            description="Nobody is asked, nothing is filed or spent. The run's note and My requests show the cost, how accurate "
            "other losses would be, what is free already, and what you may still spend.",
        ),
        "statistic": Param(
            statistics[0],
            type="string",
            enum=statistics,
            values_display={name: COUNTED[name] for name in statistics},
            title="What to count",
        ),
        "by": Param(
            [],
            type="array",
            items={"type": "string", "enum": list(by)},
            examples=list(by),
            values_display=by,
            uniqueItems=True,
            title="Broken down by",
            description="One level of each kind at most. Empty: one total.",
        ),
        "only": Param(
            None,
            type=["null", "string"],
            format="multiline",
            title="Only these areas or bands",
            description="Codes or names at the levels chosen above, one a line. Empty: all. What must be measured is "
            "measured and published for all, at the same cost: leaving some out would make the others no more accurate.",
        ),
        "period": Param(
            "",
            type="string",
            minLength=4,
            title="Period",
            description="A week (2021-W07), month (2021-02), quarter (2021-Q1), year (2021), financial year "
            "(2021-04-01-P1Y), day (2021-02-15) or range of days (2021-02-01--2021-03-14).",
        ),
    }


def _accuracy(dataset: Dataset) -> dict[str, Param]:
    """How accurate, or at which cost."""
    return {
        "margin": Param(
            None,
            type=["null", "number"],
            allOf=[{"exclusiveMinimum": 0}],
            title="Accuracy you need (±)",
            description_md="Fill in this one **or** the privacy loss. 10 means: a typical value is within ±10 of the truth "
            "in 95 of 100 cases. What costs the budget least and gives it is worked out.",
        ),
        "epsilon": Param(
            None,
            type=["null", "number"],
            allOf=[{"minimum": float(SMALLEST_EPSILON), "maximum": LARGEST_REQUESTED_EPSILON}],
            title="Privacy loss (ε)",
            description="What you want to spend, at most "
            f"{declared(LARGEST_REQUESTED_EPSILON)}. Smaller protects better and is less accurate. {_shares(dataset)}",
        ),
    }


def _shares(dataset: Dataset) -> str:
    """What one analyst and all requests may use, as it is declared."""
    budget = dataset.budget
    each = {"lifetime": "the budget"}.get(dataset.privacy_unit.per, f"each {dataset.privacy_unit.per}'s budget")
    parts = [
        f"{whom} may use {share(part, decimals=0)} of {each}"
        for whom, part in (("one analyst", budget.per_analyst), ("all requests together", budget.adhoc))
        if part is not None
    ]
    said = f"{', '.join(parts)}. " if parts else ""
    return f"{said[:1].upper()}{said[1:]}My requests shows what is left for you."


def _use() -> dict[str, Param]:
    """What for, for whom, and whether a free answer will do."""
    return {
        "purpose": Param(
            "",
            type="string",
            format="multiline",
            minLength=15,
            title="Purpose",
            description="What the figures are needed for. The custodian decides on it, and the public can read it.",
        ),
        "audience": Param(
            "public",
            type="string",
            enum=["public", "restricted"],
            values_display={
                "public": "Everybody: published as open data",
                "restricted": "Only me and the custodians; the public register tells what for",
            },
            title="For whom",
        ),
        "free": Param(
            "enough",
            type="string",
            enum=["enough", "always", "never"],
            values_display={
                "enough": "If it is accurate enough",
                "always": "Whatever its accuracy: spend nothing",
                "never": "No, measure again",
            },
            title="Answer from what is published",
            description="Figures that follow from published editions come at once and cost no privacy.",
        ),
    }


def _agreed(catalogue: Catalogue, dataset: Dataset) -> dict[str, Param]:
    """For which of the purposes that the data-sharing agreement lists, where there is one."""
    agreement = catalogue.agreement_of(dataset)
    if agreement is None:
        return {}
    return {
        "agreed_purpose": Param(
            agreement.agreed[0] if agreement.agreed else None,
            type="string",
            enum=list(agreement.agreed),
            values_display={purpose: agreement.purposes[purpose] for purpose in agreement.agreed},
            title="Agreed purpose",
            description=f"What it serves, of what the parties of '{agreement.title}' have agreed on.",
        )
    }


def _advanced() -> dict[str, Param]:
    """The contribution bound."""
    return {
        "rows": Param(
            None,
            type=["null", "integer"],
            allOf=[{"minimum": 1, "maximum": 1000}],
            title="Records of one person that count",
            description="From 1 to 1000; empty: as the dataset's releases have it. Fewer means less noise; what is truncated is "
            "measured.",
            section="Advanced",
        ),
    }


def _sums(numbers: list[str]) -> dict[str, Param]:
    """What a sum or mean is of, where a dataset has numbers."""
    if not numbers:
        return {}
    section = "Sums and means"
    return {
        "column": Param(
            None, type=["null", "string"], enum=[None, *numbers], title="Column of numbers", section=section
        ),
        "lower": Param(None, type=["null", "number"], title="Smallest number that counts", section=section),
        "upper": Param(None, type=["null", "number"], title="Largest number that counts", section=section),
    }
