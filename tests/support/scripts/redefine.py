"""A notebook in which a class is defined, used, and defined anew."""

# %%
from __future__ import annotations

import sys

from actors import Actor, ActorSystem

system = ActorSystem().start()


# %%
class Greeter(Actor):  # pyright: ignore[reportRedeclaration] - the point
    def greet(self, name: str) -> str:
        return f"hello {name}"


# %%
first = system.spawn(Greeter).result()
sys.stdout.write(first.ask(Greeter.greet, "a").result() + "\n")


# %%
class Greeter(Actor):  # type: ignore[no-redef]  # the point
    def greet(self, name: str) -> str:
        return f"good morning {name}"


# %%
second = system.spawn(Greeter).result()
sys.stdout.write(second.ask(Greeter.greet, "b").result() + "\n")
# The first actor goes on with its own class, and knows messages by their names.
greet = first.ask(Greeter.greet, "c")  # pyright: ignore[reportCallIssue, reportArgumentType] - see above
sys.stdout.write(greet.result() + "\n")
system.close()
