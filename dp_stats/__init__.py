"""Open statistics from sensitive records, with a proven privacy guarantee.

``dp_stats.read`` reads published statistics and ``dp_stats.combine`` adds them up,
``dp_stats.difference`` compares them (see ``dp_stats.client``); nothing is
imported before it is used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dp_stats.client import combine, difference, read

__version__ = "0.2.0"
__all__ = ["__version__", "combine", "difference", "read"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'dp_stats' has no attribute '{name}'")
    from dp_stats import client

    return getattr(client, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
