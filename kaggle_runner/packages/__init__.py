"""What code in a sandbox may install, where that was allowed: from which hosts, by what way, where to."""
