"""Archives: which files, scored by many processes, into a folder of Parquet files that a broken run goes on with."""
