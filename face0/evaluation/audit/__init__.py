"""What the words of a prompt do to the faces."""
