"""A run from its start to what it leaves: model, data, submissions, results, replay."""
