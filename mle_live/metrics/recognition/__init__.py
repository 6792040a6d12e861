"""Finds the metric that a competition's description is scored by; better a question than a wrong answer.

`names` are ways of writing metrics, `sentences` the text in pieces, `beside` and `changes` the words that
make another metric of a name; `reading` puts them together. It reads words, not data.
"""

from mle_live.metrics.recognition.reading import MetricReading, recognise

__all__ = ["MetricReading", "recognise"]
