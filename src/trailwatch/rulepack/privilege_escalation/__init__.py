"""Rules for becoming more than one was."""
