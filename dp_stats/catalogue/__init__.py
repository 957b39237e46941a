"""What is declared: datasets, releases and public code lists."""

from dp_stats.catalogue.codes import CodeList
from dp_stats.catalogue.folder import load_catalogue, read_catalogue
from dp_stats.catalogue.grid import Dimension, Grid, Level
from dp_stats.catalogue.load import Catalogue
from dp_stats.catalogue.models import Dataset, Release
from dp_stats.catalogue.periods import Period, parse_period

__all__ = [
    "Catalogue",
    "CodeList",
    "Dataset",
    "Dimension",
    "Grid",
    "Level",
    "Period",
    "Release",
    "load_catalogue",
    "parse_period",
    "read_catalogue",
]
