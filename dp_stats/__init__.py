"""Open statistics from sensitive records, with a proven privacy guarantee."""

__version__ = "0.2.0"
