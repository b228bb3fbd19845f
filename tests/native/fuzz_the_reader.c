/* Senders and a receiver on a ring whose bytes change between any two reads.
 *
 * The input is a program: operations, and at each load from shared memory, and before
 * each copy out of it, a chance to change a word there.  So what another process does
 * at the worst moment happens here at a known one, and a fuzzer can find which.
 *
 * Fails, under a sanitizer, where a read or write leaves the ring, the slot or the
 * copy; and by itself where the receiver gets what it has not checked.
 */
#define _GNU_SOURCE 1
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void between_reads(void);
static int tick(struct timespec *now);

#ifdef __clang__
#define LOAD(object, order) __c11_atomic_load(object, order)
#else
#define LOAD(object, order) __atomic_load_n(object, order)
#endif
#undef atomic_load_explicit
#define atomic_load_explicit(object, order) (between_reads(), LOAD(object, order))
#define memcpy(to, from, count) (between_reads(), (memcpy)(to, from, count))
#define clock_gettime(clock, now) tick(now) /* nobody waits for a lock for long */

#include "ring.h"

#include <fcntl.h>

#define CAPACITY (2 * FRAME_LIMIT) /* so that a record could be too long, and fit */
#define LONGEST 12000u
#define UNCHANGED 64 /* of 256 chances, how many change nothing */

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static const uint8_t *cursor, *end;
static ring_t ring;
static ring_writer_t writer;
static ring_reader_t reader;
static slot_t *slot;
static bool is_corrupt;
static int room[2];

static void
check(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

static int
tick(struct timespec *now)
{
    static long milliseconds;
    milliseconds++;
    *now = (struct timespec){milliseconds / 1000, milliseconds % 1000 * 1000000};
    return 0;
}

static uint8_t
next_byte(void)
{
    return cursor < end ? *cursor++ : 0;
}

static uint64_t
next_word(void)
{
    uint64_t word = 0;
    for (int i = 0; i < 8; i++) {
        word = word << 8 | next_byte();
    }
    return word;
}

/* --- what changes ------------------------------------------------------- */

/* Small steps from what stands there find the edges of a check, a size finds the
 * limits, any value what is not checked at all. */
static uint64_t
changed(uint64_t old)
{
    uint8_t how = next_byte();
    uint64_t much = how >> 2;
    switch (how & 3) {
    case 0:
        return next_word();
    case 1:
        return old + much - 32;
    case 2:
        return old + 8 * much;
    default:
        return 512 * much;
    }
}

static void
change(volatile void *at, size_t bytes)
{
    if (bytes == sizeof(uint32_t)) {
        volatile uint32_t *word = at;
        *word = (uint32_t)changed(*word);
    }
    else {
        volatile uint64_t *word = at;
        *word = changed(*word);
    }
}

static void
change_something(uint8_t which)
{
    ring_header_t *header = ring.header;
    uint64_t mask = ring.capacity - 1;
    record_t *next = (record_t *)(void *)(ring.data + (8 * header->next & mask));
    const struct {
        void *at;
        size_t bytes;
    } words[] = {
        {&header->tail, 8},         {&header->head, 8},      {&header->closed, 4},
        {&header->asleep[0], 8},       {&next->mark, 4},        {&next->length, 4},
        {&next->seq, 8},           {&slot->record.mark, 4}, {&slot->record.length, 4},
        {&header->lock.holder, 4}, {&header->next, 8}, {&header->claims[0], 8}, {&header->waiters, 4}, {&slot->record.seq, 8},
        /* not the slot's payload: it is compared with the copy */
    };
    size_t count = sizeof words / sizeof words[0];
    if (which % (count + 1) < count) {
        change(words[which % (count + 1)].at, words[which % (count + 1)].bytes);
    }
    else {
        change(ring.data + (next_word() & mask & ~UINT64_C(7)), 8);
    }
}

static void
between_reads(void)
{
    uint8_t chance = cursor < end ? next_byte() : 0;
    if (chance >= UNCHANGED) {
        change_something(chance);
    }
}

/* --- what is done ------------------------------------------------------- */

static void
put(void)
{
    static unsigned char bytes[LONGEST];
    uint32_t size = (uint32_t)next_byte() * LONGEST / 256;
    memset(bytes, next_byte(), sizeof bytes);
    struct iovec parts[] = {{bytes, size / 2}, {bytes, size - size / 2}};
    if (ring_put(&writer, parts, 2, size) == RING_FULL) {
        ring_await_room(&writer);
    }
}

static void
take(void)
{
    ring_frame_t found;
    ring_result_t result = ring_peek(&reader, &found);
    is_corrupt = result == RING_CORRUPT;
    if (result != RING_OK) {
        return;
    }
    uint32_t length = found.length;
    check(found.payload > ring.data &&
              found.payload < ring.data + ring.capacity + CACHE_LINE,
          "a record outside the ring");
    check(length <= ring.limit, "a record longer than a slot");
    check(reader.seen_tail - found.seq <= ring.capacity, "more than fits");
    if (!ring_claim(&reader, &found)) {
        return;
    }
    unsigned char *copy = malloc(length); /* as large as what Python gets */
    ring_move(&reader, &found, copy, slot);
    check(length == 0 || memcmp(copy, slot->payload, length) == 0,
          "the slot got something else than the caller");
    if (ring_owes_room(&reader)) {
        ring_give_room(&reader, room[0]);
    }
    check(found.seq < reader.seen_tail, "more taken than there was");
    free(copy);
}

/* As Python does with a slot that another incarnation has left. */
static void
read_slot(void)
{
    uint32_t length;
    if (slot_filled(slot, ring.limit, &length)) {
        volatile unsigned char last = length == 0 ? 0 : slot->payload[length - 1];
        (void)last;
    }
}

static void
count(void)
{
    uint64_t head = atomic_load_explicit(&ring.header->head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&ring.header->tail, memory_order_acquire);
    bool is_whole;
    if (ring_positions_are_valid(head, tail, ring.capacity)) {
        ring_count(ring.data + (head & (ring.capacity - 1)), head, tail, ring.limit,
                   &is_whole);
    }
}

static void
step(uint8_t operation)
{
    switch (operation % 8) {
    case 0:
    case 1:
        put();
        break;
    case 2:
    case 3:
        take();
        break;
    case 4:
        is_corrupt = ring_settle(&reader, &(ring_slot_t){slot, ring.limit}, 1) ==
                     RING_CORRUPT;
        read_slot();
        break;
    case 5:
        is_corrupt = ring_resume(&reader) == RING_CORRUPT;
        break;
    case 6:
        count();
        break;
    default:
        ring_arm(&reader);
        if (ring_has_frame(&ring)) {
            ring_disarm(&reader);
        }
    }
}

/* --- one input ---------------------------------------------------------- */

/* Make what lies around a mapping unusable, where nothing lies there yet. */
static void
guard(unsigned char *at)
{
    void *page = mmap(at, ring_header_bytes(), PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    check(page != MAP_FAILED || errno == EEXIST, "guard");
}

static void
start_over(void)
{
    static int fd = -1;
    if (fd < 0) {
        int bell = open("/dev/null", O_WRONLY | O_CLOEXEC);
        fd = memfd_create("ring", MFD_CLOEXEC);
        check(ftruncate(fd, (off_t)(ring_header_bytes() + CAPACITY)) == 0, "truncate");
        check(ring_format(fd, CAPACITY) == RING_OK, "format");
        check(ring_map(&ring, fd) == RING_OK, "map");
        guard((unsigned char *)ring.header - ring_header_bytes());
        guard(ring.data + 2 * CAPACITY);
        writer.bell = bell;
        check(pipe2(room, O_CLOEXEC | O_NONBLOCK) == 0, "pipe");
        writer.room = room[1];
        slot = aligned_alloc(CACHE_LINE, slot_bytes(ring.limit));
    }
    memset(ring.data, 0, CAPACITY);
    memset(slot, 0, slot_bytes(ring.limit));
    check(ring_format(fd, CAPACITY) == RING_OK, "format");
    atomic_store(&ring.header->closed, 0);
    atomic_store(&ring.header->asleep[0], 0);
    atomic_store(&ring.header->lock.holder, 0);
    memset((void *)ring.header->claims, 0, sizeof ring.header->claims);
    atomic_store(&ring.header->waiters, 0);
    writer.ring = reader.ring = ring;
    writer.seen_head = 0;
    check(ring_resume(&reader) == RING_OK, "resume");
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    cursor = end = input;
    start_over();
    is_corrupt = false;
    end = input + size;
    while (cursor < end && !is_corrupt) { /* given up for good, as the caller does */
        step(next_byte());
    }
    return 0;
}
