"""DICOM series as volumes: their files, headers, planes and pixels."""
