"""An external program as a method."""
