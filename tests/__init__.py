"""The tests mirror the layers; `lab` holds the real things that system tests run against."""
