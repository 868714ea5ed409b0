"""How alike a method's outputs at different scales are, scale against scale."""
