"""ClickHouse's HTTP interface on an embedded store, for as long as its process holds the folder: read only, on loopback."""
