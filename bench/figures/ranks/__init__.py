"""Mean ranks of methods with their critical difference: `bench figure ranks`."""
