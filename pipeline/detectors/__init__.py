"""Detectors: models of River per account, and the calibration of their scores."""
