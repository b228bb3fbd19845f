/* Several senders and receivers on one ring, as threads of one process: sanitizers
 * cannot see across processes.  They share one mapping, because a race is seen only
 * where both sides use the same address.
 *
 *     threads_on_a_ring SECONDS
 *
 * Again and again until the time is over, but once at least.  Exits with 0 when every frame arrived once, whole and in its sender's order.
 */
#include "ring.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

/* Not races of these two: they may look at a record that senders are overwriting, and
 * find out by the exchange that follows.  No order of theirs could prevent it, and what
 * they read is not used then. */
const char *__tsan_default_suppressions(void);
const char *
__tsan_default_suppressions(void)
{
    return "race:ring_look_at\nrace:ring_advance\n";
}

#define SENDERS 3
#define RECEIVERS 2
#define FRAMES 20000u
#define CAPACITY UINT64_C(8192)
#define LONGEST 300u

typedef struct {
    uint32_t sender, number;
    unsigned char rest[LONGEST];
} frame_t;

static ring_t ring;
static int bell[2];
static _Atomic uint32_t taken;
static _Atomic unsigned char is_taken[SENDERS][FRAMES + 1];

static uint32_t
rest_bytes(uint32_t number)
{
    return number * 37 % LONGEST;
}

static void *
send_all(void *argument)
{
    ring_writer_t writer = {.ring = ring, .bell = bell[1]};
    frame_t frame = {.sender = (uint32_t)(uintptr_t)argument};
    for (uint32_t number = 1; number <= FRAMES; number++) {
        frame.number = number;
        memset(frame.rest, (int)(number & 0xFF), sizeof frame.rest);
        struct iovec parts[] = {{&frame, 8}, {frame.rest, rest_bytes(number)}};
        ring_result_t result;
        while ((result = ring_put(&writer, parts, 2, 8 + rest_bytes(number))) ==
               RING_FULL) {
            sched_yield();
        }
        if (result != RING_OK) {
            abort();
        }
    }
    return NULL;
}

static bool
is_expected(const frame_t *frame, uint32_t length, uint32_t *last)
{
    if (frame->sender >= SENDERS || frame->number > FRAMES ||
        frame->number <= last[frame->sender] ||
        length != 8 + rest_bytes(frame->number) ||
        atomic_exchange(&is_taken[frame->sender][frame->number], 1) != 0) {
        return false;
    }
    last[frame->sender] = frame->number;
    for (uint32_t i = 0; i < length - 8; i++) {
        if (frame->rest[i] != (frame->number & 0xFF)) {
            return false;
        }
    }
    return true;
}

static bool
is_over(void)
{
    return atomic_load(&taken) == SENDERS * FRAMES;
}

/* Sleep as the runtime does: arm, look again, wait for the bell, or look by itself. */
static void
wait_for_frame(ring_reader_t *reader)
{
    struct pollfd poll_fd = {.fd = bell[0], .events = POLLIN};
    ring_arm(reader);
    if (!ring_has_frame(&reader->ring) && !is_over()) {
        int64_t may_sleep_ns = ring_stand_by(reader);
        int timeout_ms = may_sleep_ns < 0 ? 10000 : (int)(may_sleep_ns / 1000000);
        if (poll(&poll_fd, 1, timeout_ms) != 1 && may_sleep_ns < 0) {
            fprintf(stderr, "left asleep\n");
            exit(2);
        }
    }
    ring_disarm(reader);
    ring_hush(reader, bell[0]);
}

static void
fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(3);
}

static void *
receive_all(void *argument)
{
    static _Alignas(CACHE_LINE) unsigned char memory[RECEIVERS][32768];
    uint32_t seat = (uint32_t)(uintptr_t)argument;
    slot_t *slot = (slot_t *)(void *)memory[seat];
    ring_reader_t reader = {.ring = ring, .seat = seat};
    frame_t frame;
    uint32_t last[SENDERS] = {0};
    if (ring_resume(&reader) != RING_OK) {
        fail("resume");
    }
    while (!is_over()) {
        ring_frame_t found;
        ring_result_t result = ring_peek(&reader, &found);
        if (result == RING_EMPTY) {
            wait_for_frame(&reader);
            continue;
        }
        if (result != RING_OK || found.length > sizeof frame) {
            fail("corrupt");
        }
        if (!ring_claim(&reader, &found)) {
            continue;
        }
        ring_note_done(&reader, slot);
        ring_move(&reader, &found, (unsigned char *)&frame, slot);
        ring_share(&reader, slot, bell[1]);
        if (!is_expected(&frame, found.length, last)) {
            fail("torn, twice or out of order");
        }
        slot_clear(slot);
        atomic_fetch_add(&taken, 1);
    }
    ring_ring(bell[1]); /* the others may sleep */
    return NULL;
}

static int
exchange_all(void)
{
    pthread_t senders[SENDERS], receivers[RECEIVERS];
    int ring_fd = memfd_create("ring", MFD_CLOEXEC);
    off_t size = (off_t)(ring_header_bytes() + CAPACITY);
    if (ring_fd < 0 || ftruncate(ring_fd, size) != 0 || pipe2(bell, O_NONBLOCK) != 0 ||
        ring_format(ring_fd, CAPACITY) != RING_OK ||
        ring_map(&ring, ring_fd) != RING_OK) {
        return 6;
    }
    atomic_store(&taken, 0);
    memset((void *)is_taken, 0, sizeof is_taken);
    for (uintptr_t i = 0; i < SENDERS; i++) {
        pthread_create(&senders[i], NULL, send_all, (void *)i);
    }
    for (uintptr_t i = 0; i < RECEIVERS; i++) {
        pthread_create(&receivers[i], NULL, receive_all, (void *)i);
    }
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(senders[i], NULL);
    }
    for (int i = 0; i < RECEIVERS; i++) {
        pthread_join(receivers[i], NULL);
    }
    ring_unmap(&ring);
    close(ring_fd);
    close(bell[0]);
    close(bell[1]);
    return 0;
}

int
main(int argc, char **argv)
{
    if (argc != 2) {
        return 7;
    }
    int64_t deadline = monotonic_ns() + atoi(argv[1]) * INT64_C(1000000000);
    int status;
    do {
        status = exchange_all();
    } while (status == 0 && monotonic_ns() < deadline);
    return status;
}
