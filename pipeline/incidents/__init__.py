"""From scores to incidents: evidence that accumulates, opening and closing with hysteresis."""
