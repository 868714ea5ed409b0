"""Images made elsewhere, scored as if they were a method's."""
