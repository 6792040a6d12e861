"""Kaggle over its own protocol: the client, what it returns, and which Kaggle is meant."""
