"""Time and memory of methods against the size of the result."""
