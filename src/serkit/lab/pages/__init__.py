"""Markup and figures that the leaderboard and the report share. No torch."""
