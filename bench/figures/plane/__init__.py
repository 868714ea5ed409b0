"""Two metrics of a run against each other: perception and distortion."""
