"""Wicket: inline completion by a small local model, escalation behind an audit log."""

__version__ = "0.1.0"
