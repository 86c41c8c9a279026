"""ClickHouse: the address, the connection, the schema, rows on their way in and out."""
