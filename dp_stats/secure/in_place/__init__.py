"""Rows that stay where they are (``engine: source``): read, made canonical, opted out, bounded and counted in their database.

Only integers of groups, keyed hashes of persons for the register, and whether an expectation was met leave it.
"""
