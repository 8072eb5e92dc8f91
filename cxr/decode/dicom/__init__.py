"""DICOM Part 10 → 8-bit grey, for frontal chest radiographs only."""
