"""Measurements that are run by hand; figures go to docs/measurements.md. Never part of `make test`."""
