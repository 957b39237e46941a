"""Invented people in real places, to try the pipeline on."""
