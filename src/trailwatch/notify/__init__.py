"""Where messages go: the wording that all channels share, and one file per channel."""
