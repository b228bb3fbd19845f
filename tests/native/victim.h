/* victim.h - the sender or receiver that is stopped or killed, and where the frames are then. */
#ifndef TESTS_VICTIM_H
#define TESTS_VICTIM_H

#include "stepped_ring.h"

static ring_writer_t victim;
static ring_reader_t victim_reader;

static void
act_put(void)
{
    put_number(&victim, 1);
}

static void
wake(ring_reader_t *reader)
{
    ring_disarm(reader);
    ring_hush(reader, bell[0]);
}

/* Take a frame as one that others take beside, and handle it. */
static void
handle_beside_others(void)
{
    unsigned number = take_number(&victim_reader);
    ring_share(&victim_reader, slot, bell[1]);
    slot_start(slot);
    atomic_store(&shared->handled, number);
    slot_clear(slot);
}

/* Do for a dead receiver what the reaper does. */
static void
reap(void)
{
    ring_reader_t next = new_reader();
    settle(&next);
    if (ring_owes_bell(&next.ring)) {
        ring_ring(bell[1]);
    }
}

/* --- what is left of it -------------------------------------------------- */

/* How often the frame of each number was found. */
typedef struct {
    int of[256];
} tally_t;

typedef enum { NOTHING, INHERITED, IN_HAND } hand_t;

/* Count what a dead receiver has handled, and what its slot holds; return as what. */
static hand_t
tally_dead(tally_t *found)
{
    uint64_t handled = atomic_load(&shared->handled); /* it took 1, and 2 after that */
    for (uint64_t n = 1; n <= handled; n++) {
        found->of[n]++;
    }
    uint32_t length;
    if (!slot_filled(slot, FRAME_LIMIT, &length)) {
        return NOTHING;
    }
    unsigned number = number_of(slot->payload, length);
    bool is_started = atomic_load(&slot->started) != 0;
    found->of[number] += !is_started || handled < number; /* once, if handled too */
    return is_started ? IN_HAND : INHERITED;
}

/* Take all that waits, and count it. */
static void
tally_ring(tally_t *found, ring_reader_t *reader)
{
    for (unsigned number; (number = take_number_into(reader, other_slot)) != 0;) {
        found->of[number]++;
        slot_clear(other_slot);
    }
}

/* Return how many of the frames 1 to `last` were not found. */
static int
lost_of(const tally_t *found, unsigned last)
{
    int lost = 0;
    for (unsigned n = 1; n <= last; n++) {
        lost += found->of[n] == 0;
    }
    return lost;
}

/* Return how many frames were found again, or are none of the frames 1 to `last`. */
static int
twice_of(const tally_t *found, unsigned last)
{
    int twice = 0;
    for (unsigned n = 0; n < 256; n++) {
        bool is_expected = 1 <= n && n <= last;
        twice += found->of[n] > (is_expected ? 1 : 0);
    }
    return twice;
}

#endif
