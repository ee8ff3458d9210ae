"""Launchers of the programs that tests, benchmarks and experiments run: servers, PostgreSQL, Redis, PgBouncer."""
