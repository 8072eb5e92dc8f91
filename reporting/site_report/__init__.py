"""The report of `cxr site`."""
