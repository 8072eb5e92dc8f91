"""`cxr prepare`: what users have → the form that training reads, without names, duplicates or leaks."""
