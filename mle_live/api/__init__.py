"""Kaggle's protocol, a module a part of it, and MLE-Live's own addresses beside it."""
