"""`bench figure` as a person types it: the fixtures of the command line's tests."""

from tests.cli.conftest import bench, newcomer, photos

__all__ = ["bench", "newcomer", "photos"]
