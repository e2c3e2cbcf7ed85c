"""Rules for carrying data out of the account."""
