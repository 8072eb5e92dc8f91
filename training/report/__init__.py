"""The report: one list of blocks, made from an evaluation's JSON, rendered as HTML and as Markdown."""
