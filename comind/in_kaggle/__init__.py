"""A run inside a Kaggle session: exported as a notebook, started there, kept over its end."""
