"""Files of a restricted edition as they are handed out: marked with for whom, and without the mark as they were sealed."""

from dp_stats.editions.marking.mark import Mark
from dp_stats.editions.marking.marked import MARKABLE, marked, unmarked

__all__ = ["MARKABLE", "Mark", "marked", "unmarked"]
