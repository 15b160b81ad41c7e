"""Forerunners' configurations, said in our own terms: one file for each."""
