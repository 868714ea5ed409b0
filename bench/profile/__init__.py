"""What methods cost: parameters, operations, time, memory, and how these grow with the image."""

from bench.profile.measured import Profile
from bench.profile.request import ProfileRequest, Task, parse_growth, tasks_of_scales
from bench.profile.run import profile

__all__ = ["Profile", "ProfileRequest", "Task", "parse_growth", "profile", "tasks_of_scales"]
