"""The commands of `comind-tui`: each reads its arguments, does its job, prints, and returns an exit code."""
