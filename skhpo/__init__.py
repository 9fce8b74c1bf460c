"""Hyper-parameter search for scikit-learn."""
