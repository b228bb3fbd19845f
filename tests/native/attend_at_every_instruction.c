/* Stop or kill those who take part at every instruction of what they do where receivers
 * sleep on because others attend (attendance.h): a sender in a put that wakes nobody, or
 * calls one; a receiver that becomes the attendant while it takes; and one that goes to
 * rest as the attendant, beside it, as the sentry, or wakes.  In the middle of what a
 * receiver does, a sender puts a frame.
 *
 * Whatever is left: each frame in the ring is rung for, or known to somebody who is
 * awake, or to a sentry that looks by itself; and is not lost when the dead are settled.
 * Prints one JSON object; exits with 77 where ptrace is not allowed.
 */
#include "victim.h"

#define AWAKE 7u /* the seat of somebody of whom there is only the promise */

/* Somebody else is awake, and promises to take again at once. */
static void
attend(ring_reader_t *reader, uint32_t seat)
{
    _Atomic uint64_t *attendant = &reader->ring.header->attendance.attendant;
    atomic_store(attendant, promise_of(seat, monotonic_ns()));
}

/* Nobody does any more. */
static void
leave(ring_reader_t *reader)
{
    atomic_store(&reader->ring.header->attendance.attendant, 0);
}

/* Fall asleep, as the sentry where somebody attends. */
static void
rest(ring_reader_t *reader)
{
    ring_arm(reader);
    ring_stand_by(reader);
}

static bool
is_held(_Atomic uint64_t *promise, uint32_t seat)
{
    uint64_t held = atomic_load(promise);
    return promise_is_of(held, seat) && promise_left(held, monotonic_ns()) > 0;
}

/* Return whether a sentry that is asked again, as time passes, takes before long. */
static bool
is_found_by(ring_reader_t *sentry)
{
    _Atomic uint64_t *promise = &sentry->ring.header->attendance.sentry;
    for (int64_t slept = 0; slept <= PROMISE_NS; slept += SENTRY_NS) {
        if (!is_held(promise, sentry->seat)) {
            return false;
        }
        time_passes(SENTRY_NS);
        if (ring_stand_by(sentry) == 0) {
            return true;
        }
    }
    return false;
}

/* --- a sender ------------------------------------------------------------ */

typedef struct {
    bool has_sentry;
    int steps, committed, rung, called, asleep, lost, stuck;
} put_report_t;

/* One kill inside a put, while one attends and another one sleeps. */
static bool
kill_in_put(int steps, void *into)
{
    put_report_t *report = into;
    start_over();
    ring_reader_t sleeper = new_reader_at(OTHER);
    _Atomic uint64_t *sentry = &sleeper.ring.header->attendance.sentry;
    victim = new_writer();
    if (report->has_sentry) {
        attend(&sleeper, AWAKE);
        rest(&sleeper);
    }
    else { /* it fell asleep before anybody attended */
        rest(&sleeper);
        attend(&sleeper, AWAKE);
    }
    bool was_killed = killed_after(act_put, steps);

    bool is_committed = ring_has_frame(&sleeper.ring);
    report->committed += is_committed;
    report->rung += bell_rings();
    report->called += is_held(sentry, PROMISE_CALLED);
    if (atomic_load(&shared->note) != 0) {
        ring_ring(bell[1]); /* as the reaper does */
    }
    if (is_committed && !bell_rings()) {
        report->asleep += !is_found_by(&sleeper);
    }
    wake(&sleeper);
    tally_t found = {0};
    tally_ring(&found, &sleeper);
    unsigned last = is_committed ? 1 : 0;
    report->lost += lost_of(&found, last) + twice_of(&found, last);
    rest(&sleeper);
    ring_writer_t other = new_writer();
    put_number(&other, 2); /* nothing that the dead one left is in its way */
    report->stuck += !bell_rings() && !is_found_by(&sleeper);
    return was_killed;
}

/* --- a receiver that takes ------------------------------------------------- */

/* Wake up and handle a frame, and be the attendant from then on. */
static void
act_take(void)
{
    wake(&victim_reader);
    ring_note_done(&victim_reader, slot);
    handle_beside_others();
}

typedef struct {
    bool has_sentry, has_more;
    int steps, attended, rung, quiet, unheard, asleep, stuck, lost, twice;
} take_report_t;

/* One kill inside a take of a quick one, beside another one that sleeps.  A sender puts a
 * second frame while it is stopped, or has before, so that it calls the other one; and a
 * third one when it is settled. */
static bool
kill_in_take(int steps, void *into)
{
    take_report_t *report = into;
    start_over();
    ring_writer_t writer = new_writer();
    ring_reader_t other = new_reader_at(OTHER);
    attendance_t *attendance = &other.ring.header->attendance;
    victim_reader = new_reader_at(VICTIM);
    victim_reader.pace.quick = QUICK_PROOF;
    if (report->has_sentry) {
        attend(&other, AWAKE);
    }
    rest(&other);
    leave(&other);
    rest(&victim_reader);
    put_number(&writer, 1);
    if (report->has_more) {
        put_number(&writer, 2);
    }
    pid_t child = stopped_after(act_take, steps);
    if (!report->has_more) {
        put_number(&writer, 2);
    }

    bool is_held_up = child != 0 && ring_has_frame(&other.ring);
    report->attended += is_held(&attendance->attendant, VICTIM);
    report->rung += bell_rings();
    if (is_held_up && !report->has_more && !bell_rings()) {
        report->quiet++;
        report->unheard += !is_found_by(&other);
    }
    kill_stopped(child);
    tally_t found = {0};
    if (report->has_more) { /* it is awake just then, and leaves nothing to ring for */
        ring_disarm(&other);
        tally_ring(&found, &other);
        rest(&other);
    }
    reap();
    report->asleep += ring_has_frame(&other.ring) && !bell_rings();
    tally_dead(&found);
    tally_ring(&found, &other);
    report->lost += lost_of(&found, 2);
    report->twice += twice_of(&found, 2);
    put_number(&writer, 3);
    report->stuck += !bell_rings() && !is_found_by(&other);
    return child != 0;
}

/* --- a receiver that goes to rest, or wakes ------------------------------- */

static void
act_rest(void)
{
    ring_arm(&victim_reader);
    int64_t may_sleep_ns = 0;
    if (!ring_has_frame(&victim_reader.ring)) {
        may_sleep_ns = ring_stand_by(&victim_reader);
    }
    atomic_store(&shared->result, may_sleep_ns);
}

static void
act_look(void)
{
    atomic_store(&shared->result, ring_stand_by(&victim_reader));
}

static void
act_wake(void)
{
    wake(&victim_reader);
    atomic_store(&shared->result, ring_has_frame(&victim_reader.ring) ? 0 : -1);
}

enum { ATTENDANT, BESIDE, SENTRY, WAKING, ROLES };

typedef struct {
    int role;
    bool is_killed;
    int steps, found, rung, relied, asleep, lost;
} rest_report_t;

/* Let what is there be as it is before somebody in this role begins; return what it
 * does. */
static void (*begin(int role, ring_reader_t *other))(void)
{
    if (role == ATTENDANT) {
        attend(other, VICTIM);
        rest(other);
        return act_rest;
    }
    attend(other, AWAKE);
    if (role == BESIDE) {
        ring_arm(other); /* and not the sentry: it fell asleep before */
        return act_rest;
    }
    rest(&victim_reader);
    ring_arm(other);
    time_passes(SENTRY_NS);
    return role == SENTRY ? act_look : act_wake;
}

/* In the middle a sender puts a frame; then it goes on, or is killed. */
static bool
put_in_rest(int steps, void *into)
{
    rest_report_t *report = into;
    start_over();
    ring_writer_t writer = new_writer();
    ring_reader_t other = new_reader_at(OTHER);
    attendance_t *attendance = &other.ring.header->attendance;
    victim_reader = new_reader_at(VICTIM);
    pid_t child = stopped_after(begin(report->role, &other), steps);
    if (child == 0) {
        return false;
    }
    put_number(&writer, 1);
    bool is_found = false;
    bool is_relied_on = false;
    if (report->is_killed) {
        kill_stopped(child);
        reap();
    }
    else {
        let_go(child);
        int64_t may_sleep_ns = atomic_load(&shared->result);
        is_found = may_sleep_ns == 0;
        /* Awake, or going to look by itself, beside one that is awake. */
        is_relied_on = is_held(&attendance->attendant, AWAKE) &&
                       may_sleep_ns > 0 && is_held(&attendance->sentry, VICTIM);
    }
    report->found += is_found;
    report->rung += bell_rings();
    report->relied += is_relied_on;
    report->asleep += !is_found && !bell_rings() && !is_relied_on;
    tally_t found = {0};
    tally_ring(&found, &other);
    report->lost += lost_of(&found, 1) + twice_of(&found, 1);
    return true;
}

int
main(void)
{
    static const char *const names[ROLES] = {"attendant", "beside", "sentry", "waking"};
    set_up();
    for (int i = 0; i <= 1; i++) {
        put_report_t put = {.has_sentry = i};
        put.steps = at_every_instruction(kill_in_put, &put);
        printf("%s\"put %s\": {\"steps\": %d, \"committed\": %d, \"rung\": %d,"
               " \"called\": %d, \"asleep\": %d, \"lost\": %d, \"stuck\": %d},\n",
               i ? "" : "{", i ? "beside a sentry" : "beside no sentry", put.steps,
               put.committed, put.rung, put.called, put.asleep, put.lost, put.stuck);
    }
    static const char *const takes[] = {"beside no sentry", "beside a sentry", "of one"};
    for (int i = 0; i <= 2; i++) {
        take_report_t take = {.has_sentry = i == 1, .has_more = i == 2};
        take.steps = at_every_instruction(kill_in_take, &take);
        printf("\"take %s\": {\"steps\": %d, \"attended\": %d, \"rung\": %d,"
               " \"quiet\": %d, \"unheard\": %d, \"asleep\": %d, \"stuck\": %d,"
               " \"lost\": %d, \"twice\": %d},\n",
               takes[i], take.steps, take.attended, take.rung, take.quiet, take.unheard,
               take.asleep, take.stuck, take.lost, take.twice);
    }
    for (int i = 0; i < 2 * ROLES; i++) {
        rest_report_t rest = {.role = i / 2, .is_killed = i % 2};
        rest.steps = at_every_instruction(put_in_rest, &rest);
        printf("\"%s %s\": {\"steps\": %d, \"found\": %d, \"rung\": %d,"
               " \"relied\": %d, \"asleep\": %d, \"lost\": %d}%s\n",
               names[rest.role], rest.is_killed ? "killed" : "goes on", rest.steps,
               rest.found, rest.rung, rest.relied, rest.asleep, rest.lost,
               i < 2 * ROLES - 1 ? "," : "}");
    }
    return 0;
}
