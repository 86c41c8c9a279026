"""Features of events and of tumbling windows, over arrays of account slots."""
