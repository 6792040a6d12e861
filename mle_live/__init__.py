"""MLE-Live: a Kaggle of our own that the official client talks to."""
