"""Markup, figures and short texts that leaderboard and report share. Nothing here needs torch."""
