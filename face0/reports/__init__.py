"""Pages: HTML reports with their assets."""
