/* Several senders and a receiver on one ring, as threads of one process: sanitizers
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

#define SENDERS 3
#define FRAMES 20000u
#define CAPACITY UINT64_C(8192)
#define LONGEST 300u

typedef struct {
    uint32_t sender, number;
    unsigned char rest[LONGEST];
} frame_t;

static ring_t ring;
static int bell[2];

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
    if (frame->sender >= SENDERS || frame->number != ++last[frame->sender] ||
        length != 8 + rest_bytes(frame->number)) {
        return false;
    }
    for (uint32_t i = 0; i < length - 8; i++) {
        if (frame->rest[i] != (frame->number & 0xFF)) {
            return false;
        }
    }
    return true;
}

/* Sleep as the runtime does: arm, look again, wait for the bell. */
static void
wait_for_frame(const ring_reader_t *reader)
{
    char rings[64];
    struct pollfd poll_fd = {.fd = bell[0], .events = POLLIN};
    ring_arm(&reader->ring);
    if (!ring_has_frame_after_arming(&reader->ring, reader->head) &&
        poll(&poll_fd, 1, 10000) != 1) {
        fprintf(stderr, "left asleep\n");
        exit(2);
    }
    ring_disarm(&reader->ring);
    while (read(bell[0], rings, sizeof rings) > 0) {
    }
}

static int
receive_all(void)
{
    static _Alignas(CACHE_LINE) unsigned char memory[32768];
    slot_t *slot = (slot_t *)(void *)memory;
    ring_reader_t reader = {.ring = ring};
    frame_t frame;
    uint32_t last[SENDERS] = {0};
    if (ring_resume(&reader) != RING_OK) {
        return 3;
    }
    for (uint32_t taken = 0; taken < SENDERS * FRAMES;) {
        const unsigned char *payload;
        uint32_t length;
        ring_result_t result = ring_peek(&reader, &payload, &length);
        if (result == RING_EMPTY) {
            wait_for_frame(&reader);
            continue;
        }
        if (result != RING_OK || length > sizeof frame) {
            return 4;
        }
        ring_move(&reader, payload, length, (unsigned char *)&frame, slot);
        if (!is_expected(&frame, length, last)) {
            return 5;
        }
        slot_clear(slot);
        taken++;
    }
    return 0;
}

static int
exchange_all(void)
{
    pthread_t threads[SENDERS];
    int ring_fd = memfd_create("ring", MFD_CLOEXEC);
    off_t size = (off_t)(ring_header_bytes() + CAPACITY);
    if (ring_fd < 0 || ftruncate(ring_fd, size) != 0 || pipe2(bell, O_NONBLOCK) != 0 ||
        ring_format(ring_fd, CAPACITY) != RING_OK ||
        ring_map(&ring, ring_fd) != RING_OK) {
        return 6;
    }
    for (uintptr_t i = 0; i < SENDERS; i++) {
        pthread_create(&threads[i], NULL, send_all, (void *)i);
    }
    int status = receive_all();
    for (int i = 0; i < SENDERS && status == 0; i++) {
        pthread_join(threads[i], NULL);
    }
    ring_unmap(&ring);
    close(ring_fd);
    close(bell[0]);
    close(bell[1]);
    return status;
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
