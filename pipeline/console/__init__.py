"""The console: a web page on the store for the people who look after incidents. `server.serve` runs it."""
