/* Who sleeps on a ring and who is woken, in every order and with a kill anywhere:
 * attendance.h, the bells of ring.h, and RingSelector of actors/runtime/loop.py, as a
 * model, and a search through all states that it can reach.
 *
 *   attendance_model MESSAGES MESSAGES RECEIVERS KILLS ENDLESS [MISTAKE]
 *
 * The messages are those of each sender.  Each step is one access to what the processes
 * share; beside it stands the function that it is of.  A put under the lock is one, and
 * so is a take: what comes in between is the affair of tests/support/ring_model.py.  All
 * stores are seen in order.
 *
 * Anyone may be killed between two steps; the dead are settled some time, and nobody
 * follows them who would look at the ring.  So many messages as ENDLESS says may last for
 * ever.  A promise may lapse whenever it is read; when a sentry has found it LOOKS times,
 * it has.  Each ring wakes one of those that sleep, as with EPOLLEXCLUSIVE.
 *
 * Prints one JSON object: how many states there are, and the first one in which somebody
 * sleeps on a message for ever, if any, with the way to it.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SENDERS 2
#define MOST_RECEIVERS 3
#define ALL (SENDERS + MOST_RECEIVERS)
#define MOST_STATES (UINT32_C(1) << 25)
#define LOOKS 1 /* PROMISE_NS / SENTRY_NS, less the one that finds it out of date */

/* A promise is 0, or whose it is and how often a sentry has found it; that of an
 * attendant which has gone to sleep is nobody's. */
enum { CALLED = MOST_RECEIVERS, NOBODY, LAPSED = 7 };
#define PROMISE(who, looks) ((uint8_t)(8 * ((who) + 1) + (looks)))

typedef enum {
    /* a sender */
    NOTE,
    MOVE_TAIL,
    CLEAR_NOTE,
    /* whoever calls one that sleeps: a sender, or a receiver for what is left */
    LOOK_FOR_SLEEPERS,
    LOOK_FOR_ATTENDANT,
    LOOK_FOR_SENTRY,
    SAY_CALLED,
    LOOK_FOR_CALLED,
    SAY_ALL_THE_SAME,
    RING,
    /* a receiver */
    TAKE,
    LOOK_WHETHER_TO_ATTEND,
    LOOK_WHO_ATTENDS,
    ATTEND,
    LOOK_FOR_REST,
    HANDLE,
    LAST_FOR_EVER,
    BREAK_ATTENDANCE,
    ARM,
    LOOK_AGAIN,
    STAND_BY,
    LOOK_FOR_OTHER_SENTRY,
    BE_SENTRY,
    TAKE_BACK,
    LOOK_ONCE_MORE,
    SLEEP,
    EMPTY_BELL,
    NOBODY_CALLED,
    DISARM,
    WAKE,
    /* who is dead, by the supervisor */
    SETTLE_BIT,
    SETTLE_SENTRY,
    SETTLE_ATTENDANT,
    SETTLE_CALL,
    HAND_ON,
    GONE,
} step_t;

static const char *const names[] = {
    "note", "move the tail", "clear the note", "look for sleepers",
    "look for an attendant", "look for a sentry", "say that one is called",
    "look for one who is called", "say that one is called all the same", "ring",
    "take", "look whether to attend", "look who attends", "attend", "look for the rest",
    "handle", "last for ever", "break the attendant's promise", "arm", "look again",
    "stand by", "look for another sentry", "be the sentry", "take the promise back",
    "look once more", "sleep", "empty the bell", "nobody is called", "disarm", "wake",
    "settle the bit", "settle the sentry", "settle the attendant", "settle the call",
    "hand on", "gone",
};

static const char *const mistakes[] = {
    "none",
    "nobody looks again after arming",
    "a sender relies on an attendant alone",
    "the sentry sleeps for as long as it likes",
    "who reads the bell does not say so",
    "who reads the bell says so before",
    "a dead one attends, and whom it called is called",
    "nobody is rung for after a death",
    "a sender clears its note before the bell",
    "nobody rings for a dead sender",
    "a sender looks for sleepers before the message is there",
    "who takes does not call for what is left",
};
enum {
    NONE,
    NO_LOOK_AGAIN,
    ATTENDANT_ALONE,
    SENTRY_FOR_EVER,
    CALL_NOT_TAKEN_BACK,
    CALL_TAKEN_BACK_FIRST,
    DEAD_PROMISES,
    NO_HANDING_ON,
    NOTE_CLEARED_FIRST,
    NO_REAPER,
    SLEEPERS_FIRST,
    NO_SHARING,
};
static int mistake;

enum { FIRST, BY_TIME, BY_BELL }; /* what has let a receiver ask how long it may sleep */

typedef struct {
    uint8_t at;
    uint8_t left;      /* of a sender: messages */
    uint8_t note;      /* of a sender */
    uint8_t sees;      /* a promise that it has read; or that it has to ring */
    uint8_t seen_tail; /* of the sentry: pace_t */
    uint8_t watches;   /* of the sentry: it sleeps for SENTRY_NS */
    uint8_t woken;
    uint8_t called; /* by the bell, if it still rings */
} process_t;

typedef struct {
    process_t all[ALL]; /* senders, then receivers */
    uint8_t tail, next, asleep[MOST_RECEIVERS], attendant, sentry, bell, kills, endless;
    uint8_t unused[6]; /* for the hash, which takes words */
} world_t;

/* --- the states that were found ------------------------------------------- */

static world_t *worlds;
static uint32_t *came_from, *table;
static uint32_t found, expanded, ends;
static int receivers;

/* Return a promise after receivers at this seat and the next one have changed places. */
static uint8_t
swapped(uint8_t promise, int seat)
{
    int who = promise / 8 - 1;
    return who == seat       ? PROMISE(seat + 1, promise % 8)
           : who == seat + 1 ? PROMISE(seat, promise % 8)
                             : promise;
}

/* Have the receivers at this seat and the next one change places. */
static void
swap_seats(world_t *world, int seat)
{
    process_t *one = &world->all[SENDERS + seat];
    process_t receiver = *one;
    uint8_t asleep = world->asleep[seat];
    *one = one[1];
    one[1] = receiver;
    world->asleep[seat] = world->asleep[seat + 1];
    world->asleep[seat + 1] = asleep;
    world->attendant = swapped(world->attendant, seat);
    world->sentry = swapped(world->sentry, seat);
    for (int i = 0; i < ALL; i++) {
        world->all[i].sees = swapped(world->all[i].sees, seat);
    }
}

/* Receivers are alike, and senders too: one state for all that differ in who is who. */
static world_t
in_order(world_t world)
{
    if (memcmp(&world.all[0], &world.all[1], sizeof world.all[0]) > 0) {
        process_t sender = world.all[0];
        world.all[0] = world.all[1];
        world.all[1] = sender;
    }
    for (int last = MOST_RECEIVERS - 1; last > 0; last--) {
        for (int seat = 0; seat < last; seat++) {
            process_t *one = &world.all[SENDERS + seat];
            if (memcmp(one, one + 1, sizeof *one) > 0) {
                swap_seats(&world, seat);
            }
        }
    }
    return world;
}

static uint64_t
hash_of(const world_t *world)
{
    uint64_t words[sizeof *world / 8], hash = 0;
    memcpy(words, world, sizeof words);
    for (size_t i = 0; i < sizeof words / 8; i++) {
        hash = (hash ^ words[i]) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 29;
    }
    return hash;
}
_Static_assert(sizeof(world_t) % 8 == 0, "hashed in words");

/* --- what may happen next ----------------------------------------------------- */

static bool had_successor;

static void
reach(world_t world)
{
    had_successor = true;
    for (int i = SENDERS; i < ALL; i++) { /* what means nothing any more */
        if (world.all[i].seen_tail <= world.next) {
            world.all[i].seen_tail = 0;
        }
    }
    world = in_order(world);
    uint32_t at = (uint32_t)hash_of(&world) & (2 * MOST_STATES - 1);
    for (; table[at] != 0; at = (at + 1) & (2 * MOST_STATES - 1)) {
        if (memcmp(&worlds[table[at]], &world, sizeof world) == 0) {
            return;
        }
    }
    if (++found >= MOST_STATES) {
        fprintf(stderr, "too many states\n");
        exit(1);
    }
    worlds[found] = world;
    came_from[found] = expanded;
    table[at] = found;
}

static void
go(world_t world, int me, step_t at)
{
    world.all[me].at = (uint8_t)at;
    reach(world);
}

static bool
holds(uint8_t promise)
{
    return promise != 0 && promise % 8 != LAPSED;
}

static bool
is_of(uint8_t promise, int who)
{
    return promise / 8 - 1 == who;
}

static bool
is_attended(uint8_t promise) /* promise_holds, of the attendant's */
{
    return holds(promise) && !is_of(promise, NOBODY);
}

/* Return what a promise that is read may be: 0 for as it is, 1 for out of date. */
static int
readings(uint8_t promise, int readings[2])
{
    int count = 0;
    if (!holds(promise) || promise % 8 <= LOOKS) {
        readings[count++] = promise;
    }
    if (holds(promise)) {
        readings[count++] = promise / 8 * 8 + LAPSED;
    }
    return count;
}

static bool
is_anybody_asleep(const world_t *world) /* ring_is_anybody_asleep */
{
    bool is_any = false;
    for (int seat = 0; seat < MOST_RECEIVERS; seat++) {
        is_any = is_any || world->asleep[seat];
    }
    return is_any;
}

static bool
sleeps(const process_t *process)
{
    return process->at == SLEEP;
}

/* Ring, and go on at the next step.  One of those who sleep is woken; where nobody does
 * yet, nobody falls asleep over it. */
static void
ring_and_go(world_t world, int me, step_t next)
{
    bool is_heard = false;
    world.bell = 1;
    for (int i = SENDERS; i < ALL; i++) {
        if (sleeps(&world.all[i])) {
            world_t after = world;
            after.all[i].called = 1;
            is_heard = true;
            go(after, me, next);
        }
    }
    if (!is_heard) {
        for (int i = SENDERS; i < ALL; i++) {
            world.all[i].called = world.all[i].at < SETTLE_BIT;
        }
        go(world, me, next);
    }
}

static void
call(world_t world, int me, step_t otherwise)
{
    process_t *self = &world.all[me];
    int read[2];
    switch (self->at) {
    case LOOK_FOR_SLEEPERS: /* ring_is_anybody_asleep, in ring_call */
        if (mistake == NOTE_CLEARED_FIRST) {
            self->note = 0;
        }
        go(world, me,
           is_anybody_asleep(&world) ? LOOK_FOR_ATTENDANT : otherwise);
        return;
    case LOOK_FOR_ATTENDANT: /* attendance_call, the first load */
        for (int i = readings(world.attendant, read); i-- > 0;) {
            world.attendant = (uint8_t)read[i];
            go(world, me,
               !holds(world.attendant)         ? RING
               : !is_attended(world.attendant) ? LOOK_FOR_CALLED
               : mistake == ATTENDANT_ALONE    ? otherwise
                                               : LOOK_FOR_SENTRY);
        }
        return;
    case LOOK_FOR_SENTRY: /* attendance_call, the second load */
        for (int i = readings(world.sentry, read); i-- > 0;) {
            world.sentry = (uint8_t)read[i];
            self->sees = holds(world.sentry) ? 0 : world.sentry;
            go(world, me, holds(world.sentry) ? otherwise : SAY_CALLED);
        }
        return;
    case SAY_CALLED: { /* attendance_call, the exchange */
        bool is_as_seen = world.sentry == self->sees;
        self->sees = 0;
        if (is_as_seen) {
            world.sentry = PROMISE(CALLED, 0);
        }
        go(world, me, is_as_seen ? RING : otherwise);
        return;
    }
    case LOOK_FOR_CALLED: /* attendance_call, the second load where nobody attends */
        for (int i = readings(world.sentry, read); i-- > 0;) {
            world.sentry = (uint8_t)read[i];
            bool is_called = holds(world.sentry) && is_of(world.sentry, CALLED);
            go(world, me, is_called ? otherwise : SAY_ALL_THE_SAME);
        }
        return;
    case SAY_ALL_THE_SAME: /* attendance_call, the store */
        world.sentry = PROMISE(CALLED, 0);
        go(world, me, RING);
        return;
    default: /* ring_ring */
        ring_and_go(world, me, otherwise);
    }
}

static void
send(world_t world, int me)
{
    process_t *self = &world.all[me];
    switch (self->at) {
    case NOTE: /* ring_note */
        if (self->left != 0) {
            self->note = 1;
            self->sees = mistake == SLEEPERS_FIRST && !is_anybody_asleep(&world);
            go(world, me, MOVE_TAIL);
        }
        return;
    case MOVE_TAIL: { /* ring_append_locked */
        bool calls = self->sees == 0;
        world.tail++;
        self->sees = 0;
        go(world, me, calls ? LOOK_FOR_SLEEPERS : CLEAR_NOTE);
        return;
    }
    case CLEAR_NOTE: /* ring_note */
        self->note = 0;
        self->left--;
        go(world, me, NOTE);
        return;
    default:
        call(world, me, CLEAR_NOTE);
    }
}

static bool
waits(const world_t *world) /* ring_has_frame */
{
    return world->next != world->tail;
}

static void
break_promise(uint8_t *promise, int who) /* promise_break: only its owner changes it */
{
    if (is_of(*promise, who)) {
        *promise = 0;
    }
}

/* Go on with what ring_stand_by has returned, as RingSelector._sleep does. */
static void
may_sleep(world_t world, int me, int result)
{
    process_t *self = &world.all[me];
    bool is_awake = result == 0 || self->woken == BY_BELL ||
                    (self->woken == BY_TIME && result < 0);
    if (is_awake) { /* Source.called */
        self->watches = 0;
        self->woken = FIRST;
        go(world, me, EMPTY_BELL);
        return;
    }
    /* Who is rung for before it is in the kernel does not stay there. */
    self->called = self->called && world.bell;
    self->woken = FIRST;
    go(world, me, SLEEP);
}

static void
stand_by(world_t world, int me)
{
    process_t *self = &world.all[me];
    int seat = me - SENDERS;
    int read[2];
    switch (self->at) {
    case STAND_BY: { /* ring_is_before, and attendance_is_of_another */
        bool is_late = self->seen_tail > world.next;
        self->seen_tail = 0;
        self->watches = 0;
        if (is_late) {
            go(world, me, TAKE_BACK);
            return;
        }
        for (int i = readings(world.attendant, read); i-- > 0;) {
            world.attendant = (uint8_t)read[i];
            world_t after = world;
            bool is_by_another =
                is_attended(world.attendant) && !is_of(world.attendant, seat);
            if (is_by_another && self->woken == BY_TIME) {
                after.attendant++;
            }
            go(after, me, is_by_another ? LOOK_FOR_OTHER_SENTRY : TAKE_BACK);
        }
        return;
    }
    case LOOK_FOR_OTHER_SENTRY: /* promise_make, the load */
        for (int i = readings(world.sentry, read); i-- > 0;) {
            world.sentry = (uint8_t)read[i];
            if (holds(world.sentry) && !is_of(world.sentry, seat)) {
                may_sleep(world, me, -1);
            }
            else {
                world_t after = world;
                after.all[me].sees = world.sentry;
                go(after, me, BE_SENTRY);
            }
        }
        return;
    case BE_SENTRY: { /* promise_make, the exchange, and the load of the tail */
        bool is_as_seen = world.sentry == self->sees;
        self->sees = 0;
        if (is_as_seen) {
            world.sentry = PROMISE(seat, 0);
            self->watches = 1;
            self->seen_tail = world.tail;
        }
        may_sleep(world, me, is_as_seen ? 1 : -1);
        return;
    }
    case TAKE_BACK: /* promise_break in ring_stand_by */
        break_promise(&world.sentry, seat);
        go(world, me, LOOK_ONCE_MORE);
        return;
    default: /* LOOK_ONCE_MORE: ring_has_frame in ring_stand_by */
        may_sleep(world, me, waits(&world) && mistake != NO_LOOK_AGAIN ? 0 : -1);
    }
}

static void
receive(world_t world, int me)
{
    process_t *self = &world.all[me];
    int seat = me - SENDERS;
    int read[2];
    switch (self->at) {
    case TAKE: /* ring_peek, ring_claim and ring_move, in Reader.take */
        if (!waits(&world)) {
            go(world, me, BREAK_ATTENDANCE);
            return;
        }
        world.next++;
        go(world, me, LOOK_WHETHER_TO_ATTEND);
        return;
    case LOOK_WHETHER_TO_ATTEND: /* ring_is_anybody_asleep, in ring_share */
        if (!is_anybody_asleep(&world)) {
            go(world, me, HANDLE);
            return;
        }
        go(world, me, LOOK_FOR_REST); /* ring_note_taken of one that is slow */
        go(world, me, LOOK_WHO_ATTENDS);
        return;
    case LOOK_WHO_ATTENDS: /* promise_make in ring_note_taken, the load */
        for (int i = readings(world.attendant, read); i-- > 0;) {
            world.attendant = (uint8_t)read[i];
            bool is_taken =
                is_attended(world.attendant) && !is_of(world.attendant, seat);
            self->sees = is_taken ? 0 : world.attendant;
            go(world, me, is_taken ? LOOK_FOR_REST : ATTEND);
        }
        return;
    case ATTEND: /* promise_make in ring_note_taken, the exchange */
        if (world.attendant == self->sees) {
            world.attendant = PROMISE(seat, 0);
        }
        self->sees = 0;
        go(world, me, LOOK_FOR_REST);
        return;
    case LOOK_FOR_REST: /* ring_has_frame, in ring_share */
        go(world, me,
           waits(&world) && mistake != NO_SHARING ? LOOK_FOR_SLEEPERS : HANDLE);
        return;
    case HANDLE: /* the message: the loop takes again when it is done */
        go(world, me, TAKE);
        if (world.endless != 0) {
            world.endless--;
            go(world, me, LAST_FOR_EVER);
        }
        return;
    case LAST_FOR_EVER:
        return;
    case BREAK_ATTENDANCE: /* attendance_leave, in ring_arm */
        if (is_of(world.attendant, seat)) {
            world.attendant = PROMISE(NOBODY, world.attendant % 8);
        }
        go(world, me, ARM);
        return;
    case ARM: /* ring_arm */
        world.asleep[seat] = 1;
        go(world, me, mistake == NO_LOOK_AGAIN ? STAND_BY : LOOK_AGAIN);
        return;
    case LOOK_AGAIN: /* ring_has_frame, in arm of _ring.c */
        go(world, me, waits(&world) ? DISARM : STAND_BY);
        return;
    case SLEEP: /* epoll_wait, in RingSelector._sleep */
        if (self->called && world.bell) {
            world_t after = world;
            after.all[me].called = 0;
            after.all[me].woken = BY_BELL;
            go(after, me,
               mistake == CALL_TAKEN_BACK_FIRST ? NOBODY_CALLED : EMPTY_BELL);
        }
        if (self->watches && mistake != SENTRY_FOR_EVER) {
            self->woken = BY_TIME;
            go(world, me, STAND_BY);
        }
        return;
    case EMPTY_BELL: /* ring_empty, in ring_hush */
        world.bell = 0;
        for (int i = SENDERS; i < ALL; i++) {
            world.all[i].called = 0;
        }
        if (mistake == CALL_NOT_TAKEN_BACK || mistake == CALL_TAKEN_BACK_FIRST) {
            self->watches = 0;
            self->woken = FIRST;
            go(world, me, DISARM);
            return;
        }
        go(world, me, NOBODY_CALLED);
        return;
    case NOBODY_CALLED: /* promise_break in ring_hush */
        break_promise(&world.sentry, CALLED);
        if (mistake == CALL_TAKEN_BACK_FIRST) {
            go(world, me, EMPTY_BELL);
        }
        else if (self->woken == BY_BELL && self->watches) {
            go(world, me, STAND_BY); /* once more round the loop of _sleep */
        }
        else {
            self->woken = FIRST;
            go(world, me, DISARM);
        }
        return;
    case DISARM: /* ring_disarm, the bit */
        world.asleep[seat] = 0;
        self->watches = 0;
        go(world, me, WAKE);
        return;
    case WAKE: /* promise_break in ring_disarm; then the loop takes again */
        break_promise(&world.sentry, seat);
        self->seen_tail = 0;
        go(world, me, TAKE);
        return;
    case LOOK_FOR_SLEEPERS:
    case LOOK_FOR_ATTENDANT:
    case LOOK_FOR_SENTRY:
    case SAY_CALLED:
    case LOOK_FOR_CALLED:
    case SAY_ALL_THE_SAME:
    case RING:
        call(world, me, HANDLE);
        return;
    default:
        stand_by(world, me);
    }
}

/* What a supervisor does for the dead. */
static void
settle(world_t world, int me)
{
    process_t *self = &world.all[me];
    int seat = me - SENDERS;
    bool is_owed;
    if (me < SENDERS) { /* the note: supervision rings that bell */
        is_owed = self->note && mistake != NO_REAPER;
        self->note = 0;
        if (is_owed) {
            ring_and_go(world, me, GONE);
            return;
        }
        go(world, me, GONE);
        return;
    }
    switch (self->at) {
    case SETTLE_BIT: /* ring_resign, in Reader.settle: ring_disarm */
        world.asleep[seat] = 0;
        go(world, me, SETTLE_SENTRY);
        return;
    case SETTLE_SENTRY: /* the same */
        break_promise(&world.sentry, seat);
        go(world, me, SETTLE_ATTENDANT);
        return;
    case SETTLE_ATTENDANT: /* ring_resign */
        if (mistake != DEAD_PROMISES) {
            break_promise(&world.attendant, seat);
        }
        go(world, me, SETTLE_CALL);
        return;
    case SETTLE_CALL: /* ring_resign */
        if (mistake != DEAD_PROMISES) {
            break_promise(&world.sentry, CALLED);
        }
        go(world, me, HAND_ON);
        return;
    default: /* reader_hand_on */
        is_owed = waits(&world) && is_anybody_asleep(&world) &&
                  mistake != NO_HANDING_ON;
        if (is_owed) {
            ring_and_go(world, me, GONE);
            return;
        }
        go(world, me, GONE);
    }
}

static void
kill(world_t world, int me)
{
    process_t dead = {.at = SETTLE_BIT, .note = world.all[me].note};
    bool is_end = !had_successor;
    world.all[me] = dead;
    world.kills--;
    reach(world);
    had_successor = !is_end; /* nobody has to be killed */
}

static void
expand(world_t world)
{
    had_successor = false;
    for (int me = 0; me < ALL; me++) { /* what touches nothing shared goes alone */
        if (world.all[me].at == HANDLE) {
            receive(world, me);
            return;
        }
    }
    for (int me = 0; me < ALL; me++) {
        int at = world.all[me].at;
        if (at >= SETTLE_BIT) {
            if (at != GONE) {
                settle(world, me);
            }
            continue;
        }
        if (me < SENDERS) {
            send(world, me);
        }
        else {
            receive(world, me);
        }
        if (world.kills != 0 && at != NOTE) {
            kill(world, me);
        }
    }
}

static bool
is_wrong(const world_t *world)
{
    if (had_successor) {
        return false;
    }
    ends++;
    bool is_any = false; /* in the kernel, and alive */
    for (int i = SENDERS; i < ALL; i++) {
        is_any = is_any || sleeps(&world->all[i]);
    }
    return waits(world) && is_any;
}

/* --- the search ---------------------------------------------------------------- */

static void
print_way(uint32_t to)
{
    if (to != 1) {
        print_way(came_from[to]);
        printf(", ");
    }
    const world_t *world = &worlds[to];
    printf("\"");
    for (int i = 0; i < ALL; i++) {
        printf("%s%s", i ? " | " : "", names[world->all[i].at]);
    }
    printf("; tail %d next %d attendant %d sentry %d bell %d\"", world->tail, world->next,
           world->attendant, world->sentry, world->bell);
}

static void *
reserved(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return memory;
}

static int
number_of(const char *name)
{
    for (int i = 0; i < (int)(sizeof mistakes / sizeof mistakes[0]); i++) {
        if (strcmp(mistakes[i], name) == 0) {
            return i;
        }
    }
    fprintf(stderr, "no such mistake: %s\n", name);
    exit(2);
}

int
main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "see the head of the source for what to give\n");
        return 2;
    }
    worlds = reserved(MOST_STATES * sizeof *worlds);
    came_from = reserved(MOST_STATES * sizeof *came_from);
    table = reserved(2 * (size_t)MOST_STATES * sizeof *table);
    receivers = atoi(argv[3]);
    mistake = argc > 6 ? number_of(argv[6]) : NONE;
    world_t first = {.kills = (uint8_t)atoi(argv[4]), .endless = (uint8_t)atoi(argv[5])};
    for (int i = 0; i < SENDERS; i++) {
        first.all[i].left = (uint8_t)atoi(argv[1 + i]);
    }
    for (int i = SENDERS; i < ALL; i++) {
        first.all[i].at = i - SENDERS < receivers ? TAKE : GONE;
    }
    reach(first);
    uint32_t wrong = 0;
    for (expanded = 1; expanded <= found && wrong == 0; expanded++) {
        expand(worlds[expanded]);
        wrong = is_wrong(&worlds[expanded]) ? expanded : 0;
    }
    printf("{\"states\": %u, \"ends\": %u, \"asleep\": %s, \"way\": [", found, ends,
           wrong ? "true" : "false");
    if (wrong != 0) {
        print_way(wrong);
    }
    printf("]}\n");
    return 0;
}
