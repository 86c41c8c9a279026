"""Speed: `python -m bench.speed` runs all of it and prints a table; see bench/README.md."""
