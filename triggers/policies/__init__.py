"""Policies, compiled: what the gates ask of them."""
