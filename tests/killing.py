"""A process that dies before or after a function of the product, wherever that is found."""

from __future__ import annotations

_DYING = """
import importlib, os, sys
import dp_stats.pipeline as pipeline
target, when, *arguments = sys.argv[1:]
module, _, name = target.rpartition(".")
try:
    owner = importlib.import_module(module)
except ModuleNotFoundError:
    module, _, cls = module.rpartition(".")
    owner = getattr(importlib.import_module(module), cls)
original = getattr(owner, name)
def dying(*args, **kwargs):
    if when == "after":
        original(*args, **kwargs)
    os.kill(os.getpid(), 9)
setattr(owner, name, dying)
"""


def dying_in(call: str) -> str:
    """A script that is killed in a call: its arguments are the function, ``before`` or ``after``, and those of the call."""
    return f"{_DYING}{call}\n"
