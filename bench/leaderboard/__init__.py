"""A static page of results for readers: made from run folders and tables, read without a server."""

from bench.leaderboard.build import Written, write_leaderboard

__all__ = ["Written", "write_leaderboard"]
