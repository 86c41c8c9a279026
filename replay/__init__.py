"""Re-run, compare and evaluate history, and the scenarios that simulate an incident."""
