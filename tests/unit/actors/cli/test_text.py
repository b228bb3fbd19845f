"""What the command prints for people."""

from __future__ import annotations

from actors.cli import text
from actors.cli.snapshot import Branch, Message, State, Work
from tests.support.snapshots import a_system, an_actor

TERMINAL = 80


def test_systems_are_listed_by_the_names_that_tell_them_apart() -> None:
    found = [
        a_system(),
        a_system(full_name="shop.18", program_pids=(110, 111)),
        a_system(an_actor("a"), name="web", full_name="web.19", age_seconds=7200.0),
    ]

    assert text.systems(found, TERMINAL) == [
        "SYSTEM   PID  ROOT     AGE  ACTORS  PROGRAMS",
        "shop.17  100   101    7.0s       0         1",
        "shop.18  100   101    7.0s       0         3",
        "web      100   101  120min       1         1",
    ]


def test_actors_of_every_state_fit_into_a_terminal() -> None:
    found = [
        an_actor("counter"),
        an_actor(
            "a-very-long-name-of-an-actor-indeed",
            state=State.WAITING,
            incarnation=12,
            queued=1312,
            oldest_seconds=65.0,
            running=(Work("Gateway.forward", 12.3, "a-very-long-name"),),
        ),
        an_actor("new", pid=0, state=State.RESTARTING, rss_bytes=0),
        an_actor("piped", queued=None),
    ]

    lines = text.actors(found, TERMINAL)

    assert lines == [
        "NAME               PID  STATE       LIFE  QUEUED  OLDEST  RSS  RUNNING",
        "counter            102  idle           1       0       -  23M  -",
        "a-very-long-name…  102  waiting       12    1312   65.0s  23M  Gateway.forward …",
        "new                  -  restarting     1       0       -    -  -",
        "piped              102  idle           1       -       -  23M  -",
    ]
    assert max(map(len, lines)) == TERMINAL


def test_nothing_to_list_is_no_line() -> None:
    assert text.systems([], TERMINAL) == []
    assert text.actors([], TERMINAL) == []
    assert text.messages([], TERMINAL) == []


def test_of_several_handlers_the_one_that_has_taken_longest_is_shown() -> None:
    works = (
        Work("A.short", 0.5),
        Work("A.long", 4.84, "stock"),
        Work("a timer", 1.0, "stock"),
    )

    assert text.running(works) == "A.long 4.8s, asks stock, +2"
    assert text.running(works[:1]) == "A.short 500ms"
    assert text.running(()) == "-"


def test_the_tree_shows_who_has_started_whom() -> None:
    ffmpeg = Branch("ffmpeg", "process", 103, None, ())
    root = Branch(
        "actors:shop",
        "root",
        101,
        None,
        (
            Branch("one", "actor", 102, State.BUSY, (ffmpeg,)),
            Branch("two", "actor", 104, State.IDLE, (ffmpeg,)),
        ),
    )

    assert text.tree(Branch("python", "program", 100, None, (root,)), None) == [
        "python (program)  100",
        "└─ actors:shop (root)  101",
        "   ├─ one  102  busy",
        "   │  └─ ffmpeg  103",
        "   └─ two  104  idle",
        "      └─ ffmpeg  103",
    ]


def test_a_long_line_of_the_tree_is_cut_at_a_terminal() -> None:
    line = text.tree(Branch("n" * 100, "process", 1, None, ()), TERMINAL)[0]

    assert line == "n" * 79 + "…"


def test_messages_are_listed_with_their_senders_and_ages() -> None:
    found = [
        Message("ask", "Counter.add", "gateway", 4.84, 79),
        Message("stop", "", "program 100", 0.012, 2048),
    ]

    assert text.messages(found, TERMINAL) == [
        "KIND  METHOD       FROM          AGE  SIZE",
        "ask   Counter.add  gateway      4.8s   79B",
        "stop  -            program 100  12ms    2K",
    ]
