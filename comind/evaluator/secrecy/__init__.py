"""What tells labels: files of the host to withhold, and columns that a split must not leave in public."""
