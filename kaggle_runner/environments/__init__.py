"""Environments made for notebooks: what belongs in one, how it is made, and where the made one is."""
