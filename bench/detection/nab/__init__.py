"""The Numenta Anomaly Benchmark: its corpus, its scoring, and Stillwatch on it."""
