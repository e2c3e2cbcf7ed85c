"""Rules for gathering what is worth stealing."""
