"""Options that several command lines share, and the kinds of values that they take."""
