"""The rule language in the words of other systems, or the reason why not."""
