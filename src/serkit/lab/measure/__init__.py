"""Run folders, metrics, intervals, significance and calibration. No torch."""
