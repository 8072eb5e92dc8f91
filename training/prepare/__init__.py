"""`cxr prepare`: convert users' collections to the form that training reads, without names, duplicates or leaks."""
