"""Audits of finished models."""
