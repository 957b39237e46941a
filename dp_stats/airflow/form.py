"""The form for an ad hoc release, made from the catalogue: what can be asked is what is declared."""

from __future__ import annotations

from airflow.sdk import Param

from dp_stats.catalogue import Catalogue
from dp_stats.requests.questions import LARGEST_REQUESTED_EPSILON, STATISTICS, levels_of

COUNTED = {"count": "Number of records", "persons": "Number of different people", "sum": "Sum of a number column"}


def form(catalogue: Catalogue) -> dict[str, Param]:
    """Fields, in the order they are shown. The first task checks the values again, whoever sends them."""
    numbers = sorted(
        {name for d in catalogue.datasets.values() for name, column in d.columns.items() if column.type == "number"}
    )
    return {**_figures(catalogue, sums=bool(numbers)), **_accuracy(), **_use(), **_advanced(), **_sums(numbers)}


def _figures(catalogue: Catalogue, *, sums: bool) -> dict[str, Param]:
    """Which figures: records, statistic, levels, places and time."""
    datasets = catalogue.datasets
    several = len(datasets) > 1
    breakdowns = {
        f"{d.id}/{column}/{level}": (f"{d.title}: " if several else "") + f"{column.replace('_', ' ')} – {level}"
        for d in datasets.values()
        for column, levels in levels_of(catalogue, d).items()
        for level in levels
    }
    statistics = [name for name in STATISTICS if sums or name != "sum"]
    return {
        "dataset": Param(
            next(iter(datasets), None),
            type="string",
            enum=list(datasets),
            values_display={d.id: d.title for d in datasets.values()},
            title="Records",
            description="Which records the figures are made from.",
        ),
        "statistic": Param(
            "count",
            type="string",
            enum=statistics,
            values_display={name: COUNTED[name] for name in statistics},
            title="What to count",
        ),
        "by": Param(
            [],
            type="array",
            items={"type": "string", "enum": list(breakdowns)},
            examples=list(breakdowns),
            values_display=breakdowns,
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


def _accuracy() -> dict[str, Param]:
    """How accurate, or at which cost."""
    return {
        "margin": Param(
            None,
            type=["null", "number"],
            exclusiveMinimum=0,
            title="Accuracy you need (±)",
            description_md="Fill in this one **or** the privacy loss. 10 means: a typical value is within ±10 of the truth "
            "in 95 of 100 cases. The privacy loss it needs is worked out.",
        ),
        "epsilon": Param(
            None,
            type=["null", "number"],
            exclusiveMinimum=0,
            maximum=LARGEST_REQUESTED_EPSILON,
            title="Privacy loss (ε)",
            description="What you want to spend. Smaller protects better and is less accurate.",
        ),
    }


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
            values_display={"public": "Everybody: published as open data", "restricted": "Only me and the custodians"},
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


def _advanced() -> dict[str, Param]:
    """The contribution bound."""
    return {
        "rows": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            maximum=1000,
            title="Records of one person that count",
            description="Empty: as the dataset's releases have it. Fewer means less noise; what is truncated is measured.",
            section="Advanced",
        ),
    }


def _sums(numbers: list[str]) -> dict[str, Param]:
    """What a sum adds up, where a dataset has numbers."""
    if not numbers:
        return {}
    return {
        "column": Param(None, type=["null", "string"], enum=[None, *numbers], title="Column to add up", section="Sums"),
        "lower": Param(None, type=["null", "number"], title="Smallest number that counts", section="Sums"),
        "upper": Param(None, type=["null", "number"], title="Largest number that counts", section="Sums"),
    }
