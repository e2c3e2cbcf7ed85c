"""Rules over events: compiling, matching, explaining, and matches becoming alerts."""
