"""Published statistics for programs: read a table, add up what you like, with nothing of the agency at hand."""

from dp_stats.client.combining import combine, difference
from dp_stats.client.reading import read

__all__ = ["combine", "difference", "read"]
