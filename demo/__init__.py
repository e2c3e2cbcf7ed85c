"""The demonstration: an intruder is caught in a simulated account. `make demo` runs it."""
