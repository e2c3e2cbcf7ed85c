"""The one rule language inside, the three outside, and the catalogue of what was loaded."""
