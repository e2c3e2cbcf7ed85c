"""The state file: SQLite, and the only place with SQL text for state."""
