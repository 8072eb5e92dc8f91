"""Classify archives: many files, in many processes, into a folder of Parquet files that an interrupted run resumes."""
