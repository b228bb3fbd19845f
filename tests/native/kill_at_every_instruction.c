/* Kill a sender at every instruction of a put, while the receiver sleeps and while it
 * takes, and a receiver at every instruction from a take to the answer, alone and beside
 * another one, also with what it has received at once, and look what is left; close the
 * ring, and fall asleep beside it, at every instruction of a put, and look whether sender
 * and receiver agree.
 *
 * Random moments find what is open for long; this finds what is open for one
 * instruction.  Prints one JSON object; exits with 77 where ptrace is not allowed.
 */
#include "victim.h"

static ring_feed_t feed = {.room = 256};
static int feed_end;

/* --- put ---------------------------------------------------------------- */

typedef struct {
    int steps, committed, recovered, owed, asleep, torn, unusable;
} put_report_t;

/* One kill inside a put, while the receiver sleeps. */
static bool
kill_in_put(int steps, void *into)
{
    put_report_t *report = into;
    start_over();
    ring_reader_t reader = new_reader();
    ring_arm(&reader);
    victim = new_writer();
    bool was_killed = killed_after(act_put, steps);

    bool committed = ring_has_frame(&reader.ring);
    if (committed && !bell_rings()) {
        report->owed++; /* the reaper rings for a note that is still there */
        report->asleep += atomic_load(&shared->note) == 0;
    }
    ring_disarm(&reader);
    ring_writer_t other = new_writer();
    put_number(&other, 2);
    put_number(&other, 2); /* twice: the mutex must be whole after the first */
    unsigned taken[3];
    for (int i = 0; i < 3; i++) {
        taken[i] = take_number(&reader);
        slot_clear(slot);
    }
    report->torn += taken[0] != (committed ? 1 : 2);
    report->unusable += taken[1] != 2 || taken[2] != (committed ? 2 : 0);
    report->committed += committed;
    report->recovered += atomic_load(&reader.ring.header->recoveries) != 0;
    return was_killed;
}

typedef struct {
    int steps, taken, lost, twice;
} busy_report_t;

/* One kill inside a put, while the receiver looks all the time and nobody rings. */
static bool
kill_beside_busy(int steps, void *into)
{
    busy_report_t *report = into;
    start_over();
    ring_reader_t reader = new_reader();
    victim = new_writer();
    pid_t child = stopped_after(act_put, steps);
    bool before = take_number(&reader) == 1;
    slot_clear(slot);
    kill_stopped(child);
    bool after = take_number(&reader) == 1;
    slot_clear(slot);
    ring_writer_t other = new_writer();
    put_number(&other, 2);
    report->taken += before;
    report->twice += before && after;
    report->lost += take_number(&reader) != 2 || (child == 0 && !before && !after);
    slot_clear(slot);
    return child != 0;
}

/* --- take --------------------------------------------------------------- */

/* Take two frames as an actor does. */
static void
act_take(void)
{
    for (unsigned n = 1; n <= 2; n++) {
        unsigned number = take_number(&victim_reader);
        slot_start(slot);
        atomic_store(&shared->handled, number);
        slot_clear(slot);
    }
}

/* Receive two frames at once, and take them. */
static void
act_land(void)
{
    if (ring_land(&victim_reader.ring, &feed) == RING_OK) {
        act_take();
    }
}

/* Take what there is, in the ring or in what feeds it; 0 when nothing waits. */
static unsigned
take_or_land(ring_reader_t *reader)
{
    unsigned number = take_number(reader);
    if (number == 0 && ring_land(&reader->ring, &feed) == RING_OK) {
        number = take_number(reader);
    }
    return number;
}

/* Put the frames 1 and 2 into what feeds a landing, as one message. */
static void
feed_numbers(void)
{
    struct {
        uint32_t mark, length;
        uint64_t seq;
        unsigned char frame[SIZE];
    } message[2];
    for (unsigned n = 0; n < 2; n++) {
        message[n].mark = RECORD_MARK;
        message[n].length = SIZE;
        message[n].seq = 1;
        memcpy(message[n].frame, frames[n + 1], SIZE);
    }
    check(write(feed_end, message, sizeof message) == sizeof message, "feed");
}

static bool
feed_is_empty(void)
{
    struct pollfd watched = {.fd = feed.fd, .events = POLLIN};
    return poll(&watched, 1, 0) == 0;
}

static void
open_feed(void)
{
    int ends[2];
    check(pipe(ends) == 0, "pipe");
    check(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0, "a pipe that does not block");
    feed.fd = ends[0];
    feed_end = ends[1];
}

typedef struct {
    bool is_landing;
    int steps, received, in_hand, inherited, claimed, settled, lost, twice;
} take_report_t;

/* One kill inside a take, or a landing; then the next receiver must find each frame once. */
static bool
kill_in_take(int steps, void *into)
{
    take_report_t *report = into;
    start_over();
    ring_writer_t writer = new_writer();
    char left[1024];
    while (read(feed.fd, left, sizeof left) > 0) { /* of the time before */
    }
    if (report->is_landing) {
        feed_numbers();
    }
    else {
        put_number(&writer, 1);
        put_number(&writer, 2);
    }
    victim_reader = new_reader();
    bool was_killed = killed_after(report->is_landing ? act_land : act_take, steps);

    ring_reader_t reader = new_reader();
    report->received +=
        feed_is_empty() && atomic_load(&reader.ring.header->tail) == CAPACITY;
    uint64_t before = atomic_load(&reader.ring.header->head);
    uint32_t length;
    bool was_filled = slot_filled(slot, FRAME_LIMIT, &length);
    settle(&reader);
    report->settled += atomic_load(&reader.ring.header->head) != before;
    tally_t found = {0};
    hand_t hand = tally_dead(&found);
    report->claimed += hand != NOTHING && !was_filled;
    report->in_hand += hand == IN_HAND;
    report->inherited += hand == INHERITED;
    slot_clear(slot);
    for (unsigned number; (number = take_or_land(&reader)) != 0;) {
        found.of[number]++;
        slot_clear(slot);
    }
    report->lost += lost_of(&found, 2);
    report->twice += twice_of(&found, 2);
    return was_killed;
}

/* --- one of two receivers ------------------------------------------------ */

/* Wake up and handle a frame, as one that others take beside. */
static void
act_wake(void)
{
    wake(&victim_reader);
    handle_beside_others();
}

typedef struct {
    int is_taking, steps, in_hand, inherited, beside, refused, lost, twice, asleep;
} pair_report_t;

/* One kill inside a take, while another receiver sleeps, or takes a frame as well. */
static bool
kill_beside_another(int steps, void *into)
{
    pair_report_t *report = into;
    start_over();
    ring_writer_t writer = new_writer();
    ring_reader_t other = new_reader_at(OTHER);
    victim_reader = new_reader();
    ring_arm(&other);
    ring_arm(&victim_reader);
    for (unsigned n = 1; n <= 3; n++) {
        put_number(&writer, n);
    }
    tally_t found = {0};
    pid_t child = stopped_after(act_wake, steps);
    if (report->is_taking) {
        unsigned number = take_number_into(&other, other_slot);
        found.of[number] += number != 0;
        report->beside += number == 2;
        report->refused += number == 0; /* there are two that the victim has not */
        slot_clear(other_slot);
    }
    kill_stopped(child);

    reap();
    report->asleep += ring_has_frame(&other.ring) && !bell_rings();
    hand_t hand = tally_dead(&found);
    report->in_hand += hand == IN_HAND;
    report->inherited += hand == INHERITED;
    tally_ring(&found, &other);
    report->lost += lost_of(&found, 3);
    report->twice += twice_of(&found, 3);
    const ring_header_t *header = other.ring.header;
    bool has_room = atomic_load(&header->head) == atomic_load(&header->tail);
    check(has_room, "room of the dead");
    return child != 0;
}

/* --- answer -------------------------------------------------------------- */

static ring_writer_t victim_lane;

/* Take a question, start it, answer, and be done: as an actor does. */
static void
act_answer(void)
{
    unsigned number = take_number(&victim_reader);
    slot_start(slot);
    put_number(&victim_lane, number);
    slot_clear(slot);
}

typedef struct {
    int steps, waiting, inherited, in_hand, answered_in_hand, done, lost, twice, asleep;
} answer_report_t;

/* One kill between the take and the end of an answer, while the asker sleeps. */
static bool
kill_in_answer(int steps, void *into)
{
    answer_report_t *report = into;
    start_over();
    ring_writer_t writer = new_writer();
    put_number(&writer, 1);
    atomic_store(&shared->note, 0);
    victim_reader = new_reader();
    victim_lane = new_writer_of(lane_fd);
    ring_reader_t asker = new_reader_of(lane_fd);
    ring_arm(&asker);
    bool was_killed = killed_after(act_answer, steps);

    ring_reader_t next = new_reader();
    settle(&next);
    uint32_t length;
    bool is_filled = slot_filled(slot, FRAME_LIMIT, &length);
    bool is_started = is_filled && atomic_load(&slot->started) != 0;
    bool is_waiting = ring_has_frame(&next.ring);
    bool is_answered = ring_has_frame(&asker.ring);
    if (is_answered && !bell_rings()) {
        report->asleep += atomic_load(&shared->note) == 0;
    }
    slot_clear(slot);
    is_answered = is_answered && take_number(&asker) == 1;

    report->waiting += is_waiting;
    report->inherited += is_filled && !is_started;
    report->in_hand += is_started;
    report->answered_in_hand += is_started && is_answered;
    report->done += !is_filled && is_answered;
    report->lost += !is_waiting && !is_filled && !is_answered;
    report->twice += is_waiting + is_filled > 1 ||
                     (is_answered && (is_waiting || (is_filled && !is_started)));
    return was_killed;
}

/* --- others act in the middle of a put ---------------------------------- */

static void
act_put_and_tell(void)
{
    struct iovec part = {.iov_base = frames[1], .iov_len = SIZE};
    atomic_store(&shared->result, ring_put(&victim, &part, 1, SIZE));
}

typedef struct {
    int steps, accepted, late, closed, lost, misjudged, asleep;
} race_report_t;

/* Close and drain: an accepted frame that the drain did not find is lost. */
static bool
close_in_put(int steps, void *into)
{
    race_report_t *report = into;
    start_over();
    victim = new_writer();
    ring_reader_t reader = new_reader();
    pid_t child = stopped_after(act_put_and_tell, steps);
    check(ring_close(ring_fd) == RING_OK, "close");
    bool was_drained = take_number(&reader) == 1;
    if (child != 0) {
        let_go(child);
        bool is_accepted = atomic_load(&shared->result) == RING_OK;
        report->accepted += is_accepted;
        bool is_late = atomic_load(&shared->result) == RING_LATE;
        bool is_closed = atomic_load(&shared->result) == RING_CLOSED;
        bool is_there = was_drained || take_number(&reader) == 1;
        report->late += is_late;
        report->closed += is_closed;
        report->lost += is_accepted && !was_drained;
        report->misjudged += (is_late && !is_there) || (is_closed && is_there);
    }
    return child != 0;
}

/* Fall asleep: without a frame seen, the bell must ring. */
static bool
sleep_in_put(int steps, void *into)
{
    race_report_t *report = into;
    start_over();
    victim = new_writer();
    ring_reader_t reader = new_reader();
    pid_t child = stopped_after(act_put_and_tell, steps);
    ring_arm(&reader);
    bool has_seen_it = ring_has_frame(&reader.ring);
    if (child != 0) {
        let_go(child);
        report->asleep += !has_seen_it && !bell_rings();
    }
    return child != 0;
}

int
main(void)
{
    put_report_t put = {0};
    busy_report_t busy = {0};
    take_report_t take = {0};
    take_report_t land = {.is_landing = true};
    pair_report_t pair = {0};
    answer_report_t answer = {0};
    race_report_t race = {0};
    set_up();
    open_feed();
    put.steps = at_every_instruction(kill_in_put, &put);
    busy.steps = at_every_instruction(kill_beside_busy, &busy);
    take.steps = at_every_instruction(kill_in_take, &take);
    land.steps = at_every_instruction(kill_in_take, &land);
    for (pair.is_taking = 0; pair.is_taking <= 1; pair.is_taking++) {
        pair.steps += at_every_instruction(kill_beside_another, &pair);
    }
    answer.steps = at_every_instruction(kill_in_answer, &answer);
    race.steps = at_every_instruction(close_in_put, &race);
    at_every_instruction(sleep_in_put, &race);
    printf("{\"put\": {\"steps\": %d, \"committed\": %d, \"recovered\": %d, \"owed\": %d,"
           " \"asleep\": %d, \"torn\": %d, \"unusable\": %d},\n",
           put.steps, put.committed, put.recovered, put.owed, put.asleep, put.torn,
           put.unusable);
    printf("\"busy\": {\"steps\": %d, \"taken\": %d, \"lost\": %d,"
           " \"twice\": %d},\n",
           busy.steps, busy.taken, busy.lost, busy.twice);
    printf("\"take\": {\"steps\": %d, \"in_hand\": %d, \"inherited\": %d,"
           " \"claimed\": %d, \"settled\": %d, \"lost\": %d, \"twice\": %d},\n",
           take.steps, take.in_hand, take.inherited, take.claimed, take.settled,
           take.lost, take.twice);
    printf("\"land\": {\"steps\": %d, \"received\": %d, \"inherited\": %d,"
           " \"lost\": %d, \"twice\": %d},\n",
           land.steps, land.received, land.inherited, land.lost, land.twice);
    printf("\"pair\": {\"steps\": %d, \"in_hand\": %d, \"inherited\": %d,"
           " \"beside\": %d, \"refused\": %d, \"lost\": %d, \"twice\": %d,"
           " \"asleep\": %d},\n",
           pair.steps, pair.in_hand, pair.inherited, pair.beside, pair.refused,
           pair.lost, pair.twice, pair.asleep);
    printf("\"answer\": {\"steps\": %d, \"waiting\": %d, \"inherited\": %d,"
           " \"in_hand\": %d, \"answered_in_hand\": %d, \"done\": %d, \"lost\": %d,"
           " \"twice\": %d, \"asleep\": %d},\n",
           answer.steps, answer.waiting, answer.inherited, answer.in_hand,
           answer.answered_in_hand, answer.done, answer.lost, answer.twice,
           answer.asleep);
    printf("\"race\": {\"steps\": %d, \"accepted\": %d, \"late\": %d, \"closed\": %d,"
           " \"lost\": %d, \"misjudged\": %d, \"asleep\": %d}}\n",
           race.steps, race.accepted, race.late, race.closed, race.lost, race.misjudged,
           race.asleep);
    return 0;
}
