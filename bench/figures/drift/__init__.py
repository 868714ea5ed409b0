"""What becomes of an image cycle by cycle, for several methods and variants side by side."""
