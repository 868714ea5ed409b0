"""The images of a cascade, from LR to the result."""
