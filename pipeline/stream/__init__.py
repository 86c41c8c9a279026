"""From Kafka to verdicts and back: broker, topics, transport, worker, ingest and reading a topic."""
