"""Where deliveries come from, one file per source."""
