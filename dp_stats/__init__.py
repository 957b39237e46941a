"""Open statistics from sensitive records, with a proven privacy guarantee."""

__version__ = "0.1.0"
