"""One run's account at a Kaggle: what must be there, what is ordered, and how it comes home."""
