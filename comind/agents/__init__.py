"""Agents that run code: at work in a notebook, under watch, here or at Kaggle."""
