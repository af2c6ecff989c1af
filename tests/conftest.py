"""Settings of the tests' own tools."""

from hypothesis import settings

# No test is timed: a busy machine is slow, and that is no error of what is tested.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
