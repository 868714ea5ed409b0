"""Maps of the error of a run, all in one scale of colours."""
