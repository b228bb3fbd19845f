"""Actors in separate OS processes, supervised, with mailboxes that outlive them."""

from actors.actor import Actor as Actor
from actors.actor import handler as handler
from actors.errors import ActorCrashedError as ActorCrashedError
from actors.errors import ActorError as ActorError
from actors.errors import ActorNotFoundError as ActorNotFoundError
from actors.errors import ActorStoppedError as ActorStoppedError
from actors.errors import AskTimeoutError as AskTimeoutError
from actors.errors import MailboxFullError as MailboxFullError
from actors.errors import NameTakenError as NameTakenError
from actors.errors import NotSerializableError as NotSerializableError
from actors.errors import OptionError as OptionError
from actors.errors import RemoteError as RemoteError
from actors.errors import SpawnError as SpawnError
from actors.errors import SystemClosedError as SystemClosedError
from actors.errors import SystemFailedError as SystemFailedError
from actors.errors import UnhandledMessageError as UnhandledMessageError
from actors.events import Event as Event
from actors.events import Events as Events
from actors.exits import ExitKind as ExitKind
from actors.exits import ExitReason as ExitReason
from actors.pending import Pending as Pending
from actors.ref import ActorRef as ActorRef
from actors.run import run as run
from actors.system import ActorSystem as ActorSystem
