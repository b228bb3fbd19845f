"""The requests about supervisors: start one, ask for its children, start, stop and forget them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.errors import NameTakenError, SpawnError, SystemClosedError
from actors.supervision import administration
from actors.supervision.administration import Reply
from actors.supervision.child import Asker, Branch, Child, Handle, SupervisorChild
from actors.supervision.companions import Companions
from actors.supervision.forest import Forest
from actors.supervision.group import Member, Trial
from actors.supervision.lifecycle import Lifecycle
from actors.wire import reasons
from actors.wire.frame import Kind


class Trees:
    """Carries out the requests about the supervisors of one system."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        companions: Companions,
        forest: Forest,
        is_closing: Callable[[], bool],
    ) -> None:
        self._lifecycle = lifecycle
        self._companions = companions
        self._askers = lifecycle.askers
        self._forest = forest
        self._is_closing = is_closing
        self.requests: dict[str, Handle] = {
            "supervise": self._on_supervise,
            "start_child": self._on_start_child,
            "children": self._on_children,
            "stop_child": self._on_stop_child,
            "restart_child": self._on_restart_child,
            "delete_child": self._on_delete_child,
            "stop": self._on_stop,
        }

    # Starting.

    def _on_supervise(
        self, asker: Asker, sender: int, facts: dict[str, Any], payload: bytes
    ) -> None:
        try:
            home = self._companions.find(asker, sender)
        except SystemClosedError as exc:
            self._askers.refuse(asker, "closing", text=str(exc))
            return
        branch = self._lifecycle.top if home is None else home.below
        planted = self._plant(asker, facts["tree"], payload, branch)
        if planted:
            first = planted[0]
            member = Member(first.number, first.options, trial=Trial.REMOVE)
            branch.group = branch.group.with_members(member)
            self._lifecycle.add(*planted)

    def _on_start_child(
        self, asker: Asker, _sender: int, facts: dict[str, Any], payload: bytes
    ) -> None:
        owner = self._supervisor(asker, facts["supervisor"])
        if owner is None:
            return
        branch, settings = owner.below, facts["tree"]["settings"]
        present = branch.group.find(settings["id"])
        if branch.group.leaving is not None:
            self._refuse(asker, settings["id"], Reply.SHUTTING_DOWN)
            return
        if present is not None:
            _, reply = administration.start_child(
                branch.group, present.key, present.options
            )
            self._refuse(asker, settings["id"], reply)
            return
        planted = self._plant(asker, facts["tree"], payload, branch)
        if planted:
            first = planted[0]
            branch.group, _ = administration.start_child(
                branch.group, first.number, first.options
            )
            self._lifecycle.add(*planted)

    def _plant(
        self, asker: Asker, tree: dict[str, Any], payload: bytes, branch: Branch
    ) -> list[Child]:
        if self._is_closing():
            text = "the system is closing: nothing is started any more"
            self._askers.refuse(asker, "closing", text=text)
            return []
        try:
            planted = self._forest.plant(tree, payload, branch)
        except NameTakenError as exc:
            self._askers.refuse(asker, "name_taken", text=str(exc))
            return []
        except SpawnError as exc:
            reason = reasons.to_json(exc.reason)
            self._askers.refuse(asker, "spawn", name=exc.name, reason=reason)
            return []
        planted[0].spawner = asker
        labels = [(child.number, child.label) for child in planted]
        planted[0].answer = {"planted": labels}
        return planted

    # Children.

    def _on_children(
        self, asker: Asker, _sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        owner = self._supervisor(asker, facts["number"])
        if owner is not None:
            group = owner.below.group
            children = [
                _described(self._lifecycle.census.children[member.key], member)
                for member in group.members.values()
                if member.key in self._lifecycle.census.children
            ]
            told = {"children": children, "is_pool": group.is_pool}
            self._askers.answer(asker, Kind.ANSWER, told)

    def _on_stop_child(
        self, asker: Asker, _sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        child = self._child(asker, facts)
        if child is None:
            return
        self._lifecycle.ask(administration.stop_child, child)
        if child.is_down:
            self._askers.answer(asker, Kind.ANSWER, {})
        else:
            child.mourners.append(asker)

    def _on_restart_child(
        self, asker: Asker, _sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        child = self._child(asker, facts)
        if child is None:
            return
        reply = self._lifecycle.ask(administration.restart_child, child)
        if reply is Reply.OK:
            child.spawner = asker
        else:
            self._refuse(asker, facts["id"], reply)

    def _on_delete_child(
        self, asker: Asker, _sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        child = self._child(asker, facts)
        if child is None:
            return
        reply = self._lifecycle.ask(administration.delete_child, child)
        if reply is Reply.OK:
            child.branch.static.pop(child.number, None)
            child.mourners.append(asker)
        else:
            self._refuse(asker, facts["id"], reply)

    def _on_stop(
        self, asker: Asker, _sender: int, facts: dict[str, Any], _payload: bytes
    ) -> None:
        child = self._lifecycle.census.living(facts["number"])
        if child is None:
            self._askers.answer(asker, Kind.ANSWER, {})
            return
        child.mourners.append(asker)
        self._lifecycle.stop(child)

    # Whom it is about.

    def _supervisor(self, asker: Asker, number: int) -> SupervisorChild | None:
        child = self._lifecycle.census.children.get(number)
        if isinstance(child, SupervisorChild):
            return child
        text = "the supervisor has ended"
        self._askers.refuse(asker, "not_found", text=text)
        return None

    def _child(self, asker: Asker, facts: dict[str, Any]) -> Child | None:
        owner = self._supervisor(asker, facts["number"])
        if owner is None:
            return None
        group = owner.below.group
        member = group.find(facts["id"])
        if member is None:
            self._refuse(
                asker, facts["id"], Reply.POOL if group.is_pool else Reply.NOT_FOUND
            )
            return None
        return self._lifecycle.census.children[member.key]

    def _refuse(self, asker: Asker, child_id: str, reply: Reply) -> None:
        self._askers.refuse(asker, "child", id=child_id, state=str(reply))


def _described(child: Child, member: Member) -> dict[str, Any]:
    return {
        "id": member.options.id,
        "name": child.label,
        "phase": str(member.phase),
        "pid": child.pid if child.pidfd >= 0 else None,
        "incarnation": child.incarnation,
        "is_supervisor": isinstance(child, SupervisorChild),
    }
