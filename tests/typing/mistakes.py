"""Mistakes that a checker has to catch, one a function, at the line marked with ``# error`` and nowhere else.

Left out of the project's own checks; tests/test_typing.py looks for the errors.
"""

from __future__ import annotations

from actors import (
    Actor,
    ActorRef,
    ActorSystem,
    ExitReason,
    Pending,
    Pool,
    SupervisorRef,
    handler,
)
from actors.supervision.backoff import Backoff
from actors.supervision.spec import options
from tests.typing.actor_classes import (
    Adder,
    Counter,
    Greeter,
    LoudCounter,
    WatcherOfEnds,
)


async def wrong_argument_type(counter: ActorRef[Counter]) -> None:
    await counter.ask(Counter.add, "1")  # error


async def wrong_argument_type_of_an_async_handler(counter: ActorRef[Counter]) -> None:
    await counter.ask(Counter.add_later, "1")  # error


async def missing_argument(counter: ActorRef[Counter]) -> None:
    await counter.ask(Counter.add)  # error


async def misspelt_keyword(counter: ActorRef[Counter]) -> None:
    await counter.ask(Counter.add, amuont=1)  # error


async def method_of_another_class(counter: ActorRef[Counter]) -> None:
    await counter.ask(Greeter.greet, "Ada")  # error


async def method_of_a_subclass(counter: ActorRef[Counter]) -> None:
    await counter.ask(LoudCounter.shout)  # error


async def wrong_result_type(counter: ActorRef[Counter]) -> str:
    total: str = await counter.ask(Counter.add, 1)  # error
    return total


async def wrong_result_type_of_an_async_handler(counter: ActorRef[Counter]) -> str:
    total: str = await counter.ask(Counter.add_later, 1)  # error
    return total


async def misspelt_method(counter: ActorRef[Counter]) -> None:
    await counter.ask(Counter.ad, 1)  # error


def wrong_argument_of_a_tell(counter: ActorRef[Counter]) -> None:
    counter.tell(Counter.add, "1")  # error


def missing_argument_of_a_tell(counter: ActorRef[Counter]) -> None:
    counter.tell(Counter.add_later)  # error


def tell_to_another_class(greeter: ActorRef[Greeter]) -> None:
    greeter.tell(Counter.add, 1)  # error


async def wrong_constructor_argument(system: ActorSystem) -> None:
    await system.spawn(Counter, "ten")  # error


async def unknown_constructor_keyword(system: ActorSystem) -> None:
    await system.options(name="a").spawn(Counter, stride=2)  # error


async def no_actor_class(system: ActorSystem) -> None:
    await system.spawn(str)  # error


def misspelt_option(system: ActorSystem) -> None:
    system.options(nam="counter")  # error


def wrong_option_type(system: ActorSystem) -> None:
    system.options(mailbox_bytes="64k")  # error


def wrong_time_limit(system: ActorSystem) -> None:
    system.options(handler_timeout="2")  # error


def wrong_heartbeat(system: ActorSystem) -> None:
    system.options(heartbeat=30)  # error


def misspelt_limit(counter: ActorRef[Counter]) -> None:
    counter.limit(max_memory=1)  # error


def wrong_limit_type(counter: ActorRef[Counter]) -> None:
    counter.limit(nice="5")  # error


def wrong_signal_type(counter: ActorRef[Counter]) -> None:
    counter.signal("SIGHUP")  # error


def wrong_restart_type(system: ActorSystem) -> None:
    system.options(restart="always")  # error


def option_among_the_arguments(system: ActorSystem) -> None:
    system.spawn(Counter, name="counter")  # error


def called_like_a_method(counter: ActorRef[Counter]) -> None:
    counter.add(1)  # error


def bound_method(counter: ActorRef[Counter], local: Counter) -> None:
    counter.tell(local.add, 1)  # error


def wrong_pending(counter: ActorRef[Counter]) -> Pending[str]:
    return counter.ask(Counter.add, 1)  # error


def coroutine_as_result(counter: ActorRef[Counter]) -> int:
    return counter.ask(Counter.add, 1)  # error


def ref_of_a_base_class(counter: ActorRef[Counter]) -> ActorRef[LoudCounter]:
    return counter  # error


def ref_of_something_else(greeter: ActorRef[Greeter]) -> ActorRef[Adder]:
    return greeter  # error


def wrong_ref_in_a_message(greeter: ActorRef[Greeter]) -> None:
    greeter.tell(Greeter.befriend, greeter)  # error


def wrong_deadline(counter: ActorRef[Counter]) -> None:
    counter.within("1 s").tell(Counter.add, 1)  # error


def frozen_ref(counter: ActorRef[Counter]) -> None:
    counter.name = "other"  # error


def wrong_class_looked_up(system: ActorSystem) -> Pending[ActorRef[Greeter]]:
    return system.lookup("counter", Counter)  # error


class TimerOfAnotherClass(Actor):
    def on_start(self) -> None:
        self.after(1.0, Counter.add, 1)  # error


class TimerWithWrongArgument(Actor):
    def on_start(self) -> None:
        self.every(1.0, TimerWithWrongArgument.tick, "often")  # error

    def tick(self, times: int) -> None:
        self.times = times


class SignalWithArguments(Actor):
    def on_start(self) -> None:
        self.on_signal(1, SignalWithArguments.reload)  # error

    def reload(self, path: str) -> None:
        self.path = path


class WrongHook(Actor):
    def on_stop(self) -> None:  # error
        self.log.info("stopped")


class WrongReason(Actor):
    def on_stop(self, reason: ExitReason) -> None:
        self.log.info("stopped", code=reason.exitcode)  # error


class WrongErrorSetting(Actor):
    @handler(on_error="ignore")  # error
    def tick(self) -> None:
        self.log.info("tick")


def misspelt_option_of_a_child() -> None:
    options(id="counter", restarts="transient")  # error


def wrong_value_of_an_option_of_a_child() -> None:
    options(id="counter", shutdown="at once")  # error


def misspelt_strategy() -> None:
    options(id="all", strategy="one_for_two")  # error


def misspelt_option_of_a_delay() -> None:
    Backoff(minimum=1.0)  # error


def wrong_argument_of_a_child() -> None:
    options(id="counter").child(Counter, "ten")  # error


def ref_of_a_child_of_another_class() -> None:
    greeter = options(id="greeter").child(Greeter)
    options(id="other").child(Greeter, greeter.ref)  # error


def class_in_the_place_of_a_child() -> None:
    options(id="all").supervisor(Counter)  # error


def misspelt_argument_of_a_system() -> None:
    ActorSystem(transprot="unix")  # error


async def child_with_wrong_arguments() -> None:
    options(name="adder").child(Counter, "1")  # error


async def wrong_message_to_a_child(system: ActorSystem) -> None:
    spec = options(name="counter").child(Counter, 1)
    tree = await system.supervise(spec)
    await tree.ref(spec).ask(Greeter.greet, "Ada")  # error


async def misspelt_strategy_of_a_tree(system: ActorSystem) -> None:
    await system.options(strategy="one_for_nobody").supervise()  # error


async def class_in_the_place_of_a_specification(system: ActorSystem) -> None:
    await system.supervise(Counter)  # error


async def wrong_message_to_a_started_child(tree: SupervisorRef) -> None:
    added = await tree.start_child(options(id="c").child(Counter, 1))
    await added.ask(Counter.add, "1")  # error


def handler_that_takes_too_little(me: WatcherOfEnds, ref: ActorRef[Counter]) -> None:
    me.watch(ref, WatcherOfEnds.over, level="incarnation")  # error


def handler_of_another_class(me: WatcherOfEnds, ref: ActorRef[Counter]) -> None:
    me.watch(ref, Counter.add)  # error


def misspelt_level_of_a_watch(me: WatcherOfEnds, ref: ActorRef[Counter]) -> None:
    me.watch(ref, WatcherOfEnds.over, level="process")  # error


def misspelt_level_of_a_program(system: ActorSystem, ref: ActorRef[Counter]) -> None:
    system.watch(ref, level="process")  # error


def class_in_the_place_of_a_ref(me: WatcherOfEnds) -> None:
    me.watch(Counter, WatcherOfEnds.over)  # error


def handler_of_ends_in_a_link(me: WatcherOfEnds, ref: ActorRef[Counter]) -> None:
    me.link(ref, WatcherOfEnds.over)  # error


async def wrong_argument_of_a_worker(system: ActorSystem) -> None:
    await system.options(size=4).pool(Counter, "ten")  # error


async def wrong_argument_to_a_pool(pool: Pool[Counter]) -> None:
    await pool.ask(Counter.add, "1")  # error


async def wrong_message_to_a_pool(pool: Pool[Counter]) -> None:
    await pool.ask(Greeter.greet, "Ada")  # error


async def wrong_items_of_a_map(pool: Pool[Counter]) -> None:
    pool.map(Counter.add, ["one", "two"])  # error


async def misspelt_option_of_a_map(pool: Pool[Counter]) -> None:
    pool.map(Counter.add, [1], inflight=3)  # error


async def misspelt_option_of_a_pool(system: ActorSystem) -> None:
    system.options(sise=4)  # error


async def wrong_routing(system: ActorSystem) -> None:
    system.options(routing="random")  # error


async def misspelt_policy(pool: Pool[Counter]) -> None:
    pool.options(retrys=3)  # error
