"""Files that a task asks for: fetched, checked, unpacked, kept in a cache."""
