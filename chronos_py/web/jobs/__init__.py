"""Jobs: the list with its filters and what is done with many, and the page of one."""
