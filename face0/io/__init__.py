"""Files by URI, written whole; tables; JSON."""
