"""plan -> cells -> units -> records."""
