"""Live leaderboards: a look, a polite watch, the history of ranks, medals."""
