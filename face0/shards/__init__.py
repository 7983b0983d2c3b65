"""The face data set: rows, files, selection, order, loader."""
