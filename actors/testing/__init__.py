"""Tools for testing programs made of actors; ``_actors_pytestplugin`` makes pytest fixtures of them."""

from actors.testing.clock import ManualClock as ManualClock
from actors.testing.expectation import Expectation as Expectation
from actors.testing.expectation import eventually as eventually
from actors.testing.leaks import nothing_left as nothing_left
from actors.testing.probe import Message as Message
from actors.testing.probe import Probe as Probe
from actors.testing.systems import CheckedSystem as CheckedSystem
from actors.testing.systems import DeadLetters as DeadLetters
from actors.testing.systems import checked as checked
