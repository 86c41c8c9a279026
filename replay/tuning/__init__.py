"""Search for settings: a space, an objective over windows of time, and trials that share what is expensive."""
