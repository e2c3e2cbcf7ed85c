"""Every setting with its sentence, and where each value comes from."""
