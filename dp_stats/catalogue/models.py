"""Every model of a declaration: datasets, releases and what they share.

These models are also the JSON Schema that editors complete and check YAML files with.
"""

from dp_stats.catalogue.across import AcrossStatistic, AcrossTable
from dp_stats.catalogue.columns import Column
from dp_stats.catalogue.contribution import Contribution, Late
from dp_stats.catalogue.datasets import (
    Budget,
    Dataset,
    OptOuts,
    PrivacyUnit,
    Source,
)
from dp_stats.catalogue.declared import (
    LARGEST_DECLARED_EPSILON,
    SMALLEST_EPSILON,
    UNKNOWN,
    Model,
    Name,
    Person,
    PrivacyLoss,
    Slug,
)
from dp_stats.catalogue.identifiers import Identifier
from dp_stats.catalogue.intake import Intake
from dp_stats.catalogue.releases import (
    Derived,
    DimensionSpec,
    Release,
    Statistic,
    Table,
)
from dp_stats.catalogue.texts import ReleaseTexts

__all__ = [
    "LARGEST_DECLARED_EPSILON",
    "SMALLEST_EPSILON",
    "UNKNOWN",
    "AcrossStatistic",
    "AcrossTable",
    "Budget",
    "Column",
    "Contribution",
    "Dataset",
    "Derived",
    "DimensionSpec",
    "Identifier",
    "Intake",
    "Late",
    "Model",
    "Name",
    "OptOuts",
    "Person",
    "PrivacyLoss",
    "PrivacyUnit",
    "Release",
    "ReleaseTexts",
    "Slug",
    "Source",
    "Statistic",
    "Table",
]
