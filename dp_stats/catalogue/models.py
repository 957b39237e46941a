"""Every model of a declaration: datasets, releases and what they share.

These models are also the JSON Schema that editors complete and check YAML files with.
"""

from dp_stats.catalogue.across import AcrossStatistic, AcrossTable
from dp_stats.catalogue.agreements import Agreement, Party, SharedStatistic, SharedTable
from dp_stats.catalogue.columns import Column
from dp_stats.catalogue.contribution import Contribution, Late
from dp_stats.catalogue.datasets import Budget, Dataset, PrivacyUnit
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
from dp_stats.catalogue.dimensions import DimensionSpec
from dp_stats.catalogue.identifiers import Identifier
from dp_stats.catalogue.intake import Delivery, Intake
from dp_stats.catalogue.linked.tables import LinkedTable
from dp_stats.catalogue.organisations import Organisation, Terms
from dp_stats.catalogue.releases import (
    Derived,
    Release,
    Statistic,
    Table,
)
from dp_stats.catalogue.sources import OptOuts, Source
from dp_stats.catalogue.texts import ReleaseTexts

__all__ = [
    "LARGEST_DECLARED_EPSILON",
    "SMALLEST_EPSILON",
    "UNKNOWN",
    "AcrossStatistic",
    "AcrossTable",
    "Agreement",
    "Budget",
    "Column",
    "Contribution",
    "Dataset",
    "Delivery",
    "Derived",
    "DimensionSpec",
    "Identifier",
    "Intake",
    "Late",
    "LinkedTable",
    "Model",
    "Name",
    "OptOuts",
    "Organisation",
    "Party",
    "Person",
    "PrivacyLoss",
    "PrivacyUnit",
    "Release",
    "ReleaseTexts",
    "SharedStatistic",
    "SharedTable",
    "Slug",
    "Source",
    "Statistic",
    "Table",
    "Terms",
]
