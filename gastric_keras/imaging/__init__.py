"""Pictures, DICOM and whole slides as RGB, and where their tissue lies."""
