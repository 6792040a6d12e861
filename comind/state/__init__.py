"""A run's memory: its folder, and one database that its engine writes and everyone reads."""
