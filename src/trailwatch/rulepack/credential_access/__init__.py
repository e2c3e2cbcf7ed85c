"""Rules for stealing passwords, keys and secrets."""
