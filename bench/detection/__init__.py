"""Detection against its targets: on simulated streams beside plain baselines, on real traffic, and on public labelled data."""
