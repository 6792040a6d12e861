"""What the files of a competition are: read in any format, found by role, put in one shape."""

NAMED_ROLES = ("sample", "train", "test", "labels")
"""Roles of files that a person may name."""
