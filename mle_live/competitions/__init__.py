"""Competitions on disk: read, checked, graded, and where a score would stand."""
