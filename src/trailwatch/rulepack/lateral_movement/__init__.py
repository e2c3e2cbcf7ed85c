"""Rules for getting from one place to the next."""
