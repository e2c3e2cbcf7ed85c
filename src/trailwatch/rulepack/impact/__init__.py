"""Rules for destroying, locking and abusing."""
