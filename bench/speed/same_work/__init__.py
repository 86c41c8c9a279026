"""The same work, done by each stream processor as its own documentation would have it; one process each.

Each is run as `python -m bench.speed.same_work.NAME HOST:PORT TOPIC EVENTS` and ends by `Stopwatch`.
"""
