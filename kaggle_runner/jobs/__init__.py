"""Notebooks at Kaggle: gathered, queued for a session, pushed once, waited for and brought home."""
