"""The invented editions, for every test of this room."""

from invented_editions import catalogue, costs, do_not_wait_for_the_disk, make_sample, sample

__all__ = ["catalogue", "costs", "do_not_wait_for_the_disk", "make_sample", "sample"]
