/* stepped_ring.h - the rings, slots and bells that stepped children send to and take from. */
#ifndef TESTS_STEPPED_RING_H
#define TESTS_STEPPED_RING_H

#include "ring.h"
#include "stepping.h"

#include <fcntl.h>
#include <poll.h>

#define CAPACITY UINT64_C(65536)
#define SIZE 40u /* of a frame: few instructions, and still several for its copy */
#define VICTIM 0u /* the seats */
#define OTHER 200u
#define MOST_MAPPED 8 /* in one scenario */

typedef struct {
    _Atomic uint64_t note;
    _Atomic int64_t now_ns;
    _Atomic uint64_t handled;
    _Atomic int64_t result;
    unsigned char slot[65536];
} shared_t;

static shared_t *shared;
static slot_t *slot, *other_slot;
static int ring_fd, lane_fd, bell[2];
static ring_t mapped[MOST_MAPPED]; /* since the scenario began */
static int mapped_count;

/* In place of the C library's: time passes when a test says so. */
int
clock_gettime(clockid_t id, struct timespec *now)
{
    (void)id;
    int64_t ns = atomic_load(&shared->now_ns);
    *now = (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    return 0;
}

static void
time_passes(int64_t ns)
{
    atomic_fetch_add(&shared->now_ns, ns);
}

/* --- the ring ----------------------------------------------------------- */

/* Map a ring until the next scenario begins. */
static ring_t
map_for_now(int fd)
{
    ring_t ring = {0};
    check(mapped_count < MOST_MAPPED && ring_map(&ring, fd) == RING_OK, "map");
    mapped[mapped_count++] = ring;
    return ring;
}

static ring_writer_t
new_writer_of(int fd)
{
    return (ring_writer_t){.ring = map_for_now(fd),
                           .bell = bell[1],
                           .note = &shared->note,
                           .note_value = 7};
}

static ring_writer_t
new_writer(void)
{
    return new_writer_of(ring_fd);
}

static ring_reader_t
new_reader_of(int fd)
{
    ring_reader_t reader = {.ring = map_for_now(fd), .seat = VICTIM};
    check(ring_resume(&reader) == RING_OK, "resume");
    return reader;
}

static ring_reader_t
new_reader(void)
{
    return new_reader_of(ring_fd);
}

static ring_reader_t
new_reader_at(uint32_t seat)
{
    ring_reader_t reader = new_reader();
    reader.seat = seat;
    return reader;
}

static unsigned char frames[4][SIZE]; /* of one number each */

static void
put_number(ring_writer_t *writer, unsigned number)
{
    struct iovec part = {.iov_base = frames[number], .iov_len = SIZE};
    check(ring_put(writer, &part, 1, SIZE) == RING_OK, "put");
}

/* Return the number of a whole frame, else 255. */
static unsigned
number_of(const unsigned char *frame, uint32_t length)
{
    if (length != SIZE || frame[0] > 3 || memcmp(frame, frames[frame[0]], SIZE) != 0) {
        return 255;
    }
    return frame[0];
}

static unsigned
take_number_into(ring_reader_t *reader, slot_t *into)
{
    unsigned char copy[SIZE];
    ring_frame_t found;
    do {
        ring_result_t result = ring_peek(reader, &found);
        if (result == RING_EMPTY) {
            return 0;
        }
        check(result == RING_OK && found.length == SIZE, "take");
    } while (!ring_claim(reader, &found));
    ring_move(reader, &found, copy, into);
    return number_of(copy, found.length);
}

static unsigned
take_number(ring_reader_t *reader)
{
    return take_number_into(reader, slot);
}

static void
settle(ring_reader_t *reader)
{
    ring_slot_t slots[] = {{slot, FRAME_LIMIT}};
    check(ring_settle(reader, slots, 1) != RING_CORRUPT, "settle");
    ring_resign(reader);
}

static int
new_file(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    check(fd >= 0, "memfd_create");
    int error = posix_fallocate(fd, 0, (off_t)(ring_header_bytes() + CAPACITY));
    check(error == 0, "allocate");
    return fd;
}

/* Make the ring as new: all zeros, as far as a few frames have reached. */
static void
make_ring(int fd)
{
    static const unsigned char zeros[1024];
    uint64_t end = ring_header_bytes() + sizeof zeros;
    for (uint64_t at = 0; at < end; at += sizeof zeros) {
        check(pwrite(fd, zeros, sizeof zeros, (off_t)at) == sizeof zeros, "write");
    }
    check(ring_format(fd, CAPACITY) == RING_OK, "format");
}

static void
start_over(void)
{
    while (mapped_count > 0) {
        ring_unmap(&mapped[--mapped_count]);
    }
    make_ring(ring_fd);
    make_ring(lane_fd);
    memset(shared, 0, sizeof *shared);
    atomic_store(&shared->now_ns, 1000000000);
    ring_empty(bell[0]);
}

static void
set_up(void)
{
    for (int n = 0; n < 4; n++) {
        memset(frames[n], n, SIZE);
    }
    ring_fd = new_file("ring");
    lane_fd = new_file("lane");
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(shared != MAP_FAILED, "memory");
    check(pipe2(bell, O_NONBLOCK) == 0, "pipe");
    slot = (slot_t *)(void *)(shared->slot + CACHE_LINE - 24);
    other_slot = (slot_t *)(void *)((unsigned char *)slot + slot_bytes(FRAME_LIMIT));
    /* What only the first put does is behind us when children begin. */
    start_over();
    ring_writer_t writer = new_writer();
    put_number(&writer, 1);
}

static bool
bell_rings(void)
{
    struct pollfd poll_fd = {.fd = bell[0], .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1;
}

#endif
