"""The agents of CoMind: a community that reads, proposes, codes, evaluates and publishes."""
