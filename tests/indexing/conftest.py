"""Tests that lie in the clones are sources here, not tests."""

collect_ignore = ["clones"]
