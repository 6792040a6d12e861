"""What a run's records say: rankings, evidence, lineage, likeness, pace and forecast. It asks nobody."""
