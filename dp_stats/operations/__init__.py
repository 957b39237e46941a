"""Keeping a system running: review the catalogue beforehand, forecast budgets, verify and tidy every night."""
