/* ring.h - a queue of frames in a mapped file: many senders, several receivers.
 *
 * Responsible for: the layout of the file and of a slot, and every store whose
 * place in the order matters.  Not responsible for: names, sizes, creation and
 * removal of files, waiting (shm.py), or Python objects (_ring.c).  No call of
 * the Python API is made here, so the file can be compiled alone, under a
 * sanitizer for instance.
 *
 * Guarantees
 *   - Any process may be killed at any instruction.  A sender killed inside a
 *     put leaves the tail where it was, or a whole frame.  A receiver killed
 *     inside a take leaves the frame in the ring, in the slot, or in both with
 *     the same number; never in neither.  Other receivers go on meanwhile.
 *   - A sender killed between the frame and the bell leaves its note behind:
 *     whoever reaps it rings that bell.
 *   - What another process wrote is input: each shared word is read once into a
 *     local and checked before it is used as a size or an offset.
 *
 * File
 *   one page of header, then `capacity` bytes of records.  The records are
 *   mapped twice in a row, so that a record never has to be split at the end.
 *   Positions are free-running 64-bit byte counts; position & (capacity - 1) is
 *   the offset.  They begin at `capacity`, not at 0: a record's sequence number
 *   is its position, and 0 must stay free to mean "none".
 *
 *   sender, holding the lock               receiver, without a lock
 *   copy the record                        load tail              (acquire)
 *                                          move next over it      (exchange)
 *   store tail (seq_cst)     ---------->   copy it to the slot
 *                                          mark it as taken       (seq_cst)
 *   load head  (acquire)     <----------   move head over what is taken (exchange)
 *   load asleep (seq_cst)    <--------->   store asleep, load tail (seq_cst)
 *   store waiters, load head (seq_cst) <-> load waiters           (seq_cst)
 *
 * Receivers
 *   head <= next <= tail: before `next`, each record belongs to one receiver, and
 *   before `head` each is in a slot.  A receiver claims the record at `next` by
 *   moving `next` over it with one exchange, copies it, marks it as taken, and
 *   moves `head` over all marked records there.  So nobody waits for one that is
 *   stopped or dead: its claim only keeps its room.
 *
 *   Each receiver has a seat, a small number, and no two at a time have the same.
 *   `next` says also which seat has claimed last, and how much; before somebody
 *   else moves it, it notes that in `claims`.  So after a death either `next` or
 *   the seat's word in `claims` tells what the seat claimed last, and the record's
 *   mark whether it got done with it (ring_settle).
 *
 *   Who is slow may look at a record that others have taken, and that a sender is
 *   overwriting.  It reads nonsense then, and its exchange fails.  It never writes
 *   there: only who has claimed a record writes to it.
 *
 * Landings
 *   A landing is a ring that its receivers fill themselves: with what they receive
 *   from an object of the kernel, which may hold several records at once.  The kernel
 *   writes them straight behind the tail, so they are never in ordinary memory only.
 *   The word behind the tail is 0 unless they are there and the tail has not been moved
 *   yet; if whoever received them dies in between, the next that takes the lock moves it.
 *
 * Source: Lamport's bounded queue for the positions; the mapping trick is known
 * as a "magic ring buffer".
 */
#ifndef TRANSPORTS_RING_H
#define TRANSPORTS_RING_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* MAP_ANONYMOUS */
#endif
#include <errno.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "attendance.h"
#include "lock.h"

#define CACHE_LINE 64
#define RING_MAGIC UINT64_C(0x474E49524C49414D) /* "MAILRING" */
#define RING_VERSION 5u
#define RING_MIN_CAPACITY UINT64_C(4096)
#define RING_MAX_CAPACITY (UINT64_C(1) << 30)
#define FRAME_LIMIT UINT64_C(16384)
#define RECORD_MARK 0x454D5246u /* "FRME"; 0 is an empty slot */
#define LOCK_NS INT64_C(2000000)
#define LOOKS_PER_YIELD 8
#define RING_SEATS 254u
#define RING_WAITED_FOR 1u /* by a sender that found no room */
#define RING_WAKING 2u     /* + seat: this receiver is about to wake all of them */
#define RECORD_TAKEN UINT64_C(1) /* in the number of a record, a multiple of 8 */
/* `next` is a position, a length (both in units of 8 bytes) and a seat + 1.  The
 * position has lost its upper bits: with the head, which is at most RING_MAX_CAPACITY
 * before it, it is whole again. */
#define NEXT_POSITION_BITS 44
#define NEXT_LENGTH_BITS 12
#define NEXT_POSITIONS (UINT64_C(1) << NEXT_POSITION_BITS)
#define NEXT_LENGTHS (UINT64_C(1) << NEXT_LENGTH_BITS)

_Static_assert(FRAME_LIMIT + 16 <= 8 * (NEXT_LENGTHS - 1), "a length has its bits");
_Static_assert(RING_SEATS < 1 << (64 - NEXT_POSITION_BITS - NEXT_LENGTH_BITS),
               "a seat has its bits");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "a lock-based atomic is not shareable");
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "a lock-based atomic is not shareable");

typedef enum {
    RING_OK,
    RING_EMPTY,
    RING_FULL,    /* no room, or the lock was not free within LOCK_NS */
    RING_CLOSED,
    RING_LATE,    /* it is in the ring, which was closed meanwhile */
    RING_REJECTED, /* what a landing received was no record, and is gone */
    RING_CORRUPT, /* the shared bytes make no sense: never touch them again */
    RING_ERROR,   /* a system call failed: see errno */
} ring_result_t;

/* What stands before every payload, in a ring, in a slot and in a datagram. */
typedef struct {
    _Atomic uint32_t mark;
    _Atomic uint32_t length; /* of the payload */
    _Atomic uint64_t seq;
} record_t;

_Static_assert(sizeof(record_t) == 16, "the record header is part of the format");

typedef struct {
    _Atomic uint64_t magic; /* stored last: a file without it is not ready */
    uint32_t version;
    uint64_t capacity;
    _Alignas(CACHE_LINE) lock_t lock;
    _Alignas(CACHE_LINE) _Atomic uint32_t closed;
    _Atomic uint32_t recoveries; /* how often a holder of the lock died */
    _Alignas(CACHE_LINE) _Atomic uint64_t tail; /* written under the lock */
    _Alignas(CACHE_LINE) _Atomic uint64_t head; /* written by receivers only */
    _Atomic uint64_t next;                      /* the same */
    _Atomic uint32_t waiters; /* 0, RING_WAITED_FOR or RING_WAKING + seat */
    /* A bit for each seat: its receiver sleeps. */
    _Alignas(CACHE_LINE) _Atomic uint64_t asleep[(RING_SEATS + 63) / 64];
    attendance_t attendance; /* why they may sleep on */
    /* The record that each seat claimed before somebody else did; 0 for none. */
    _Alignas(CACHE_LINE) _Atomic uint64_t claims[RING_SEATS];
} ring_header_t;

_Static_assert(sizeof(ring_header_t) <= RING_MIN_CAPACITY, "the header is one page");

/* A mapped ring.  Geometry is checked once at attach and believed from here,
 * never again from shared memory. */
typedef struct {
    ring_header_t *header; /* NULL once unmapped */
    unsigned char *data;
    uint64_t capacity;
    uint64_t limit; /* largest frame */
    uint64_t id;    /* the file's inode: no other mailbox that exists has it */
} ring_t;

typedef struct {
    ring_t ring;
    uint64_t seen_head; /* heads only grow: an old one is a safe guess of the room */
    uint64_t wanted;    /* bytes that the last put found no room for */
    int bell;
    int room; /* -1 until this sender waits */
    _Atomic uint64_t *note; /* may be NULL */
    uint64_t note_value;
} ring_writer_t;

typedef struct {
    ring_t ring;
    uint64_t seen_head;
    uint64_t seen_tail;
    uint32_t seat;
    pace_t pace;
} ring_reader_t;

/* A record that was in the ring. */
typedef struct {
    record_t *record;
    const unsigned char *payload;
    uint64_t seq;
    uint64_t next; /* when nobody had claimed it */
    uint32_t length;
    bool is_taken;
} ring_frame_t;

static inline uint64_t
align8(uint64_t n)
{
    return (n + 7) & ~UINT64_C(7);
}

static inline uint64_t
record_bytes(uint64_t payload)
{
    return align8(sizeof(record_t) + payload);
}

static inline int64_t
monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline void
cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* --- slots -------------------------------------------------------------- */

/* A place for one frame in hand, in memory that outlives the receiver. */
typedef struct {
    _Atomic uint64_t started; /* CLOCK_MONOTONIC, ns; 0 = not started */
    _Atomic uint64_t source;  /* the id of the mailbox that the frame came from */
    _Atomic uint64_t begun;   /* of several calls that the frame stands for; 0 = none */
    uint64_t reserved[5];
    record_t record;
    unsigned char payload[];
} slot_t;

_Static_assert(offsetof(slot_t, record) == CACHE_LINE, "started has its own line");

static inline uint64_t
slot_bytes(uint64_t limit)
{
    uint64_t end = offsetof(slot_t, payload) + limit;
    return (end + CACHE_LINE - 1) & ~(uint64_t)(CACHE_LINE - 1);
}

/* The mark goes first: killed in between, the slot is empty and the time left
 * over means nothing. */
static inline void
slot_clear(slot_t *slot)
{
    atomic_store_explicit(&slot->record.mark, 0, memory_order_release);
    atomic_store_explicit(&slot->started, 0, memory_order_release);
}

static inline void
slot_start(slot_t *slot)
{
    atomic_store_explicit(&slot->begun, 0, memory_order_relaxed);
    /* release: whoever sees the time sees the frame, and that nothing is begun */
    atomic_store_explicit(&slot->started, (uint64_t)monotonic_ns(),
                          memory_order_release);
}

/* Return whether the slot holds a frame, and its length.  A length that cannot
 * be, left by whatever wrote here, makes the slot count as empty. */
static inline bool
slot_filled(const slot_t *slot, uint64_t limit, uint32_t *length)
{
    /* acquire: the words and bytes behind the mark were stored before it */
    uint32_t mark = atomic_load_explicit(&slot->record.mark, memory_order_acquire);
    *length = atomic_load_explicit(&slot->record.length, memory_order_relaxed);
    return mark == RECORD_MARK && *length <= limit;
}

static inline void
slot_fill(slot_t *slot, uint64_t source, uint64_t seq, const unsigned char *payload,
          uint32_t length)
{
    slot_clear(slot);
    /* Against the compiler only: a killed process has executed a prefix of its
     * instructions, and the bytes below must not come before the zero mark. */
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&slot->source, source, memory_order_relaxed);
    atomic_store_explicit(&slot->record.length, length, memory_order_relaxed);
    atomic_store_explicit(&slot->record.seq, seq, memory_order_relaxed);
    memcpy(slot->payload, payload, length);
    /* release: all of the above before the mark that makes it count */
    atomic_store_explicit(&slot->record.mark, RECORD_MARK, memory_order_release);
}

/* --- mapping ------------------------------------------------------------ */

/* The header takes a page, whatever a page is here (4 KiB, or 16 or 64 on some
 * ARM kernels): the records behind it are mapped twice and need alignment. */
static inline uint64_t
ring_header_bytes(void)
{
    long page = sysconf(_SC_PAGESIZE);
    return page > 0 ? (uint64_t)page : RING_MIN_CAPACITY;
}

static inline bool
ring_capacity_is_valid(uint64_t capacity)
{
    return capacity >= RING_MIN_CAPACITY && capacity >= ring_header_bytes() &&
           capacity <= RING_MAX_CAPACITY && (capacity & (capacity - 1)) == 0;
}

static inline bool
ring_positions_are_valid(uint64_t head, uint64_t tail, uint64_t capacity)
{
    return tail >= head && tail - head <= capacity && ((head | tail) & 7) == 0;
}

static inline ring_header_t *
ring_map_header(int fd)
{
    void *page = mmap(NULL, ring_header_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED,
                      fd, 0);
    return page == MAP_FAILED ? NULL : page;
}

/* Write the header of a new file that is all zeros and fully allocated. */
static inline ring_result_t
ring_format(int fd, uint64_t capacity)
{
    ring_header_t *header = ring_map_header(fd);
    if (header == NULL) {
        return RING_ERROR;
    }
    header->version = RING_VERSION;
    header->capacity = capacity;
    atomic_store_explicit(&header->tail, capacity, memory_order_relaxed);
    atomic_store_explicit(&header->head, capacity, memory_order_relaxed);
    atomic_store_explicit(&header->next, capacity / 8, memory_order_relaxed);
    /* release: whoever sees the magic sees the rest */
    atomic_store_explicit(&header->magic, RING_MAGIC, memory_order_release);
    munmap(header, ring_header_bytes());
    return RING_OK;
}

static inline bool
ring_header_is_valid(const ring_header_t *header, uint64_t capacity)
{
    /* acquire: pairs with the store in ring_format */
    return atomic_load_explicit(&header->magic, memory_order_acquire) == RING_MAGIC &&
           header->version == RING_VERSION && header->capacity == capacity;
}

/* Set `closed` for ever.  seq_cst: a sender stores its tail and then loads
 * `closed`, the cleaner stores `closed` and then loads the tail; one of the two
 * must see the other. */
static inline ring_result_t
ring_close(int fd)
{
    ring_header_t *header = ring_map_header(fd);
    if (header == NULL) {
        return RING_ERROR;
    }
    atomic_store_explicit(&header->closed, 1, memory_order_seq_cst);
    munmap(header, ring_header_bytes());
    return RING_OK;
}

static inline void
ring_unmap(ring_t *ring)
{
    if (ring->header != NULL) {
        munmap(ring->header, ring_header_bytes() + 2 * ring->capacity);
        ring->header = NULL;
    }
}

static inline ring_result_t
ring_map(ring_t *ring, int fd)
{
    uint64_t header_bytes = ring_header_bytes();
    struct stat stat;
    if (fstat(fd, &stat) < 0) {
        return RING_ERROR;
    }
    uint64_t capacity = (uint64_t)stat.st_size - header_bytes;
    if (!ring_capacity_is_valid(capacity)) {
        return RING_CORRUPT;
    }
    /* Reserve the whole range first, so that nothing else can land between. */
    unsigned char *base = mmap(NULL, header_bytes + 2 * capacity, PROT_NONE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) {
        return RING_ERROR;
    }
    ring->header = (ring_header_t *)(void *)base;
    ring->data = base + header_bytes;
    ring->capacity = capacity;
    ring->id = (uint64_t)stat.st_ino;
    ring->limit = capacity - sizeof(record_t) < FRAME_LIMIT
                      ? capacity - sizeof(record_t)
                      : FRAME_LIMIT;
    if (mmap(base, header_bytes + capacity, PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED ||
        mmap(ring->data + capacity, capacity, PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_FIXED, fd, (off_t)header_bytes) == MAP_FAILED) {
        int error = errno;
        ring_unmap(ring);
        errno = error;
        return RING_ERROR;
    }
    if (!ring_header_is_valid(ring->header, capacity)) {
        ring_unmap(ring);
        return RING_CORRUPT;
    }
    return RING_OK;
}

/* --- sending ------------------------------------------------------------ */

/* A holder died.  The tail is moved by one store at the very end, so nothing it
 * did has to be undone; a half-written record lies beyond the tail. */
static inline ring_result_t
ring_recover(ring_header_t *header, uint64_t capacity)
{
    /* relaxed: the lock orders these against other senders */
    uint64_t head = atomic_load_explicit(&header->head, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(&header->tail, memory_order_relaxed);
    if (!ring_positions_are_valid(head, tail, capacity)) {
        lock_release(&header->lock, LOCK_NOBODY); /* nobody shall trust it again */
        return RING_CORRUPT;
    }
    atomic_fetch_add_explicit(&header->recoveries, 1, memory_order_relaxed);
    return RING_OK;
}

/* Try again and again for LOCK_NS.  A futex sleep would cost more than any holder
 * needs. */
static inline lock_result_t
ring_lock_within_a_while(lock_t *lock)
{
    int64_t deadline = monotonic_ns() + LOCK_NS;
    do {
        for (int i = 0; i < LOOKS_PER_YIELD; i++) {
            cpu_relax();
            lock_result_t result = lock_try(lock);
            if (result != LOCK_BUSY) {
                return result;
            }
        }
        sched_yield();
    } while (monotonic_ns() < deadline);
    return LOCK_BUSY;
}

static inline ring_result_t
ring_lock(ring_t *ring)
{
    ring_header_t *header = ring->header;
    lock_result_t result = lock_try(&header->lock);
    if (result == LOCK_BUSY) {
        result = ring_lock_within_a_while(&header->lock);
    }
    switch (result) {
    case LOCK_TAKEN:
        return RING_OK;
    case LOCK_INHERITED:
        return ring_recover(header, ring->capacity);
    case LOCK_BUSY: /* a holder that is stopped, or bytes that never were one */
        return lock_is_forged(&header->lock) ||
                       !ring_header_is_valid(header, ring->capacity)
                   ? RING_CORRUPT
                   : RING_FULL;
    default:
        return RING_ERROR;
    }
}

/* Return whether `need` bytes fit behind `tail`: OK, FULL or CORRUPT. */
static inline ring_result_t
ring_room(ring_writer_t *writer, uint64_t tail, uint64_t need)
{
    uint64_t capacity = writer->ring.capacity;
    uint64_t used = tail - writer->seen_head;
    if (used <= capacity && need <= capacity - used && (tail & 7) == 0) {
        return RING_OK;
    }
    /* acquire: the receiver has copied what lies before its head */
    uint64_t head =
        atomic_load_explicit(&writer->ring.header->head, memory_order_acquire);
    if (!ring_positions_are_valid(head, tail, capacity) || head < writer->seen_head) {
        return RING_CORRUPT;
    }
    writer->seen_head = head;
    writer->wanted = need;
    return need <= capacity - (tail - head) ? RING_OK : RING_FULL;
}

static inline void
ring_copy_record(unsigned char *at, uint64_t seq, const struct iovec *parts,
                 size_t count, uint32_t size)
{
    record_t *record = (record_t *)(void *)at;
    /* relaxed: the tail, stored after all of this, publishes it */
    atomic_store_explicit(&record->mark, RECORD_MARK, memory_order_relaxed);
    atomic_store_explicit(&record->length, size, memory_order_relaxed);
    atomic_store_explicit(&record->seq, seq, memory_order_relaxed);
    at += sizeof(record_t);
    for (size_t i = 0; i < count; i++) {
        memcpy(at, parts[i].iov_base, parts[i].iov_len);
        at += parts[i].iov_len;
    }
}

static inline ring_result_t
ring_append_locked(ring_writer_t *writer, const struct iovec *parts, size_t count,
                   uint32_t size)
{
    ring_header_t *header = writer->ring.header;
    uint64_t need = record_bytes(size);
    /* relaxed: stored under the lock, which is held */
    uint64_t tail = atomic_load_explicit(&header->tail, memory_order_relaxed);
    if (atomic_load_explicit(&header->closed, memory_order_relaxed) != 0) {
        return RING_CLOSED;
    }
    ring_result_t room = ring_room(writer, tail, need);
    if (room != RING_OK) {
        return room;
    }
    unsigned char *at = writer->ring.data + (tail & (writer->ring.capacity - 1));
    ring_copy_record(at, tail, parts, count, size);
    /* seq_cst: releases the record, and comes before the loads of `asleep` and
     * `closed` in ring_put in an order all processes agree on */
    atomic_store_explicit(&header->tail, tail + need, memory_order_seq_cst);
    return RING_OK;
}

static inline void
ring_ring(int bell)
{
    /* Full means that the receiver has enough to wake it; nothing else can fail
     * in a way that a sender could mend. */
    ssize_t written = write(bell, "", 1);
    (void)written;
}

static inline bool
ring_is_anybody_asleep(const ring_header_t *header)
{
    uint64_t asleep = 0;
    for (size_t i = 0; i < sizeof header->asleep / sizeof header->asleep[0]; i++) {
        /* seq_cst: after the store of the tail; pairs with ring_arm */
        asleep |= atomic_load_explicit(&header->asleep[i], memory_order_seq_cst);
    }
    return asleep != 0;
}

/* Wake one of those that sleep, if one is to be woken for a frame that is in the ring. */
static inline void
ring_call(ring_header_t *header, int bell)
{
    if (ring_is_anybody_asleep(header) &&
        attendance_call(&header->attendance, monotonic_ns())) {
        ring_ring(bell);
    }
}

static inline void
ring_empty(int bell)
{
    char rings[4096];
    while (read(bell, rings, sizeof rings) == (ssize_t)sizeof rings) {
    }
}

static inline void
ring_note(const ring_writer_t *writer, uint64_t value)
{
    if (writer->note != NULL) {
        /* release: 0 is not seen before what the put did */
        atomic_store_explicit(writer->note, value, memory_order_release);
    }
}

/* Append one frame.  The caller has checked that the parts add up to `size` and
 * that this is at most ring.limit, and lets no other thread of the process in:
 * the note is one word for all of them. */
static inline ring_result_t
ring_put(ring_writer_t *writer, const struct iovec *parts, size_t count, uint32_t size)
{
    ring_header_t *header = writer->ring.header;
    ring_note(writer, writer->note_value);
    ring_result_t result = ring_lock(&writer->ring);
    if (result == RING_FULL) {
        writer->wanted = UINT64_MAX; /* no room will do: the lock has to be free */
    }
    if (result == RING_OK) {
        result = ring_append_locked(writer, parts, count, size);
        lock_release(&header->lock, 0);
    }
    if (result == RING_OK) {
        ring_call(header, writer->bell);
    }
    ring_note(writer, 0);
    /* seq_cst: pairs with ring_close; the cleaner may have drained before us */
    if (result == RING_OK &&
        atomic_load_explicit(&header->closed, memory_order_seq_cst) != 0) {
        result = RING_LATE;
    }
    return result;
}

/* Wait for room: from here on writer->room is not writable until there is some.
 *
 * It is a FIFO of one page, which one byte makes full and one read empty, so the
 * kernel wakes all that poll it.  The byte comes before the flag, and the flag
 * before the look: whoever clears the flag empties the FIFO afterwards. */
static inline void
ring_await_room(const ring_writer_t *writer)
{
    ring_header_t *header = writer->ring.header;
    ring_ring(writer->room);
    /* seq_cst: before the loads below; pairs with ring_advance and ring_close */
    atomic_store_explicit(&header->waiters, RING_WAITED_FOR, memory_order_seq_cst);
    uint64_t head = atomic_load_explicit(&header->head, memory_order_seq_cst);
    uint64_t tail = atomic_load_explicit(&header->tail, memory_order_relaxed);
    bool is_closed = atomic_load_explicit(&header->closed, memory_order_seq_cst) != 0;
    /* What makes no sense is found by the next put. */
    if (is_closed || !ring_positions_are_valid(head, tail, writer->ring.capacity) ||
        writer->wanted <= writer->ring.capacity - (tail - head)) {
        ring_empty(writer->room);
    }
}

/* --- landings ----------------------------------------------------------- */

/* How a landing is filled. */
typedef struct {
    int fd; /* -1: the ring is no landing */
    bool is_queue;
    uint64_t room; /* the largest message of the object */
} ring_feed_t;

/* Receive a message, never waiting; its size, or -1 with errno. */
static inline ssize_t
feed_receive(const ring_feed_t *feed, unsigned char *into)
{
    /* The epoch has passed: never waits, whatever the descriptor's flags say. */
    static const struct timespec now = {0, 0};
    ssize_t size;
    do {
        size = feed->is_queue
                   ? mq_timedreceive(feed->fd, (char *)into, feed->room, NULL, &now)
                   : read(feed->fd, into, feed->room);
    } while (size < 0 && errno == EINTR);
    return size;
}

/* Return where the last of the records at `first` ends, which lie in at most `room`
 * bytes that were 0 before; 0 where something else does. */
static inline uint64_t
records_end(const unsigned char *first, uint64_t room, uint64_t limit)
{
    uint64_t end = 0;
    for (uint64_t at = 0; at + sizeof(record_t) <= room; at = align8(end)) {
        const record_t *record = (const record_t *)(const void *)(first + at);
        uint32_t mark = atomic_load_explicit(&record->mark, memory_order_relaxed);
        uint32_t length = atomic_load_explicit(&record->length, memory_order_relaxed);
        if (mark == 0) {
            return end;
        }
        if (mark != RECORD_MARK || length > limit ||
            at + sizeof(record_t) + length > room) {
            return 0;
        }
        end = at + sizeof(record_t) + length;
    }
    return end;
}

/* Number the records behind the tail, which end at `end`, and move the tail over them.
 * May be done again by whoever inherits the lock. */
static inline void
ring_commit(ring_t *ring, uint64_t tail, unsigned char *first, uint64_t end)
{
    for (uint64_t at = 0; at < end;) {
        record_t *record = (record_t *)(void *)(first + at);
        /* relaxed: the tail publishes it */
        atomic_store_explicit(&record->seq, tail + at, memory_order_relaxed);
        at += record_bytes(atomic_load_explicit(&record->length, memory_order_relaxed));
    }
    /* The mark behind them is 0: all that the kernel did not write is.  seq_cst: as in
     * ring_append_locked */
    atomic_store_explicit(&ring->header->tail, tail + align8(end), memory_order_seq_cst);
}

/* Receive behind the tail, unless somebody who has died has: OK, EMPTY, FULL when
 * there is no room, REJECTED or ERROR. */
static inline ring_result_t
ring_land_locked(ring_t *ring, const ring_feed_t *feed, uint64_t tail)
{
    unsigned char *first = ring->data + (tail & (ring->capacity - 1));
    _Atomic uint32_t *mark = &((record_t *)(void *)first)->mark;
    uint64_t head = atomic_load_explicit(&ring->header->head, memory_order_acquire);
    ssize_t size = -1;
    /* One record more than the room: the mark behind a message has its place. */
    if (ring->capacity - (tail - head) < align8(feed->room) + sizeof(record_t)) {
        return RING_FULL;
    }
    if (atomic_load_explicit(mark, memory_order_relaxed) == 0) {
        memset(first, 0, align8(feed->room) + sizeof(record_t));
        atomic_signal_fence(memory_order_seq_cst); /* before the kernel writes there */
        size = feed_receive(feed, first);
        if (size < 0) {
            return errno == EAGAIN || errno == ETIMEDOUT ? RING_EMPTY : RING_ERROR;
        }
    }
    uint64_t end = records_end(first, feed->room, ring->limit);
    if (end == 0 || (size >= 0 && end != (uint64_t)size)) {
        atomic_store_explicit(mark, 0, memory_order_relaxed);
        return RING_REJECTED;
    }
    ring_commit(ring, tail, first, end);
    return RING_OK;
}

/* Return whether something is to be done under the lock: a receiver that finds nothing
 * holds it never, so that one which is stopped as it looks is in nobody's way. */
static inline bool
ring_may_land(const ring_t *ring, const ring_feed_t *feed)
{
    uint64_t tail = atomic_load_explicit(&ring->header->tail, memory_order_acquire);
    const unsigned char *first = ring->data + (tail & (ring->capacity - 1) & ~UINT64_C(7));
    const record_t *record = (const record_t *)(const void *)first;
    struct pollfd watched = {.fd = feed->fd, .events = POLLIN};
    return atomic_load_explicit(&record->mark, memory_order_relaxed) != 0 ||
           poll(&watched, 1, 0) != 0;
}

/* Fill a landing with the next message of what feeds it; see ring_land_locked. */
static inline ring_result_t
ring_land(ring_t *ring, const ring_feed_t *feed)
{
    ring_header_t *header = ring->header;
    if (!ring_may_land(ring, feed)) {
        return RING_EMPTY;
    }
    ring_result_t result = ring_lock(ring);
    if (result != RING_OK) {
        return result;
    }
    uint64_t head = atomic_load_explicit(&header->head, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(&header->tail, memory_order_relaxed);
    if (!ring_positions_are_valid(head, tail, ring->capacity)) {
        lock_release(&header->lock, LOCK_NOBODY);
        return RING_CORRUPT;
    }
    result = ring_land_locked(ring, feed, tail);
    lock_release(&header->lock, 0);
    return result;
}

/* --- receiving ---------------------------------------------------------- */

static inline uint64_t
next_of(uint32_t seat, uint64_t position, uint64_t bytes)
{
    return (uint64_t)(seat + 1) << (NEXT_POSITION_BITS + NEXT_LENGTH_BITS) |
           bytes / 8 << NEXT_POSITION_BITS | (position / 8 & (NEXT_POSITIONS - 1));
}

static inline uint64_t
next_position(uint64_t next, uint64_t head)
{
    return head + 8 * ((next - head / 8) & (NEXT_POSITIONS - 1));
}

static inline uint64_t
next_bytes(uint64_t next)
{
    return 8 * (next >> NEXT_POSITION_BITS & (NEXT_LENGTHS - 1));
}

/* 0 if nobody has claimed anything yet, else a seat + 1. */
static inline uint32_t
next_claimer(uint64_t next)
{
    return (uint32_t)(next >> (NEXT_POSITION_BITS + NEXT_LENGTH_BITS));
}

static inline ring_result_t
ring_resume(ring_reader_t *reader)
{
    ring_header_t *header = reader->ring.header;
    uint64_t head;
    uint64_t tail;
    do { /* others may take, and senders go on, while we look */
        head = atomic_load_explicit(&header->head, memory_order_acquire);
        tail = atomic_load_explicit(&header->tail, memory_order_acquire);
        if (ring_positions_are_valid(head, tail, reader->ring.capacity)) {
            reader->seen_head = head;
            reader->seen_tail = tail;
            return RING_OK;
        }
    } while (atomic_load_explicit(&header->head, memory_order_acquire) > head);
    return RING_CORRUPT;
}

static inline bool
ring_has_frame(const ring_t *ring)
{
    uint64_t next = atomic_load_explicit(&ring->header->next, memory_order_relaxed);
    /* seq_cst: after the store in ring_arm; a frame that is seen can be taken.
     * Unequal, not greater: a tail that went back must be looked at, and found
     * corrupt. */
    uint64_t tail = atomic_load_explicit(&ring->header->tail, memory_order_seq_cst);
    return ((tail / 8 ^ next) & (NEXT_POSITIONS - 1)) != 0;
}

/* Return whether something before `position`, which was the tail, waits to be claimed. */
static inline bool
ring_is_before(const ring_header_t *header, uint64_t position)
{
    uint64_t next = atomic_load_explicit(&header->next, memory_order_relaxed);
    uint64_t behind = (position / 8 - next) & (NEXT_POSITIONS - 1);
    return behind != 0 && behind < NEXT_POSITIONS / 2;
}

/* Return whether a whole record with this number and length lies at `at`, in `waiting`
 * bytes. */
static inline bool
record_is_valid(const record_t *record, uint64_t at, uint64_t seq, uint32_t length,
                uint64_t waiting, uint64_t limit)
{
    /* the limit first, so that the sum cannot overflow */
    return atomic_load_explicit(&record->mark, memory_order_relaxed) == RECORD_MARK &&
           (seq & ~RECORD_TAKEN) == at && length <= limit &&
           record_bytes(length) <= waiting;
}

/* Look at the record at `at`, and return whether it is valid. */
static inline bool
ring_look_at(const ring_t *ring, uint64_t at, uint64_t waiting, ring_frame_t *found)
{
    unsigned char *bytes = ring->data + (at & (ring->capacity - 1));
    found->record = (record_t *)(void *)bytes;
    found->payload = bytes + sizeof(record_t);
    found->seq = at;
    /* acquire: pairs with ring_mark_taken */
    uint64_t seq = atomic_load_explicit(&found->record->seq, memory_order_acquire);
    found->is_taken = (seq & RECORD_TAKEN) != 0;
    found->length = atomic_load_explicit(&found->record->length, memory_order_relaxed);
    return record_is_valid(found->record, at, seq, found->length, waiting, ring->limit);
}

/* Find the record that nobody has claimed: OK, EMPTY or CORRUPT.
 *
 * What makes no sense does so because others have taken, and senders gone on, while
 * we looked; or nobody has, and it is corrupt. */
static inline ring_result_t
ring_peek(ring_reader_t *reader, ring_frame_t *found)
{
    const ring_t *ring = &reader->ring;
    const ring_header_t *header = ring->header;
    uint64_t head;
    do {
        /* acquire, and in this order: none is behind the one before */
        head = atomic_load_explicit(&header->head, memory_order_acquire);
        found->next = atomic_load_explicit(&header->next, memory_order_acquire);
        uint64_t tail = atomic_load_explicit(&header->tail, memory_order_acquire);
        uint64_t at = next_position(found->next, head);
        if (head < reader->seen_head || tail < reader->seen_tail || tail < at ||
            next_claimer(found->next) > RING_SEATS ||
            !ring_positions_are_valid(head, tail, ring->capacity)) {
            continue;
        }
        if (at == tail || ring_look_at(ring, at, tail - at, found)) {
            reader->seen_head = head;
            reader->seen_tail = tail;
            return at == tail ? RING_EMPTY : RING_OK;
        }
    } while (atomic_load_explicit(&header->head, memory_order_acquire) != head ||
             atomic_load_explicit(&header->next, memory_order_acquire) != found->next);
    return RING_CORRUPT;
}

/* Note what `seat` has claimed, unless it is noted that it has claimed more. */
static inline void
ring_note_claim(ring_header_t *header, uint32_t seat, uint64_t seq)
{
    uint64_t noted = atomic_load_explicit(&header->claims[seat], memory_order_relaxed);
    while (noted < seq &&
           !atomic_compare_exchange_weak_explicit(&header->claims[seat], &noted, seq,
                                                  memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

/* Claim the record found by ring_peek; false if somebody was faster. */
static inline bool
ring_claim(const ring_reader_t *reader, const ring_frame_t *found)
{
    ring_header_t *header = reader->ring.header;
    uint64_t next = found->next;
    uint64_t bytes = record_bytes(found->length);
    uint32_t last = next_claimer(next);
    if (last != 0 && last != reader->seat + 1) {
        ring_note_claim(header, last - 1, found->seq - next_bytes(next));
    }
    /* seq_cst: releases the note; acquires the record, which nobody has overwritten
     * if this succeeds */
    return atomic_compare_exchange_strong_explicit(
        &header->next, &next, next_of(reader->seat, found->seq + bytes, bytes),
        memory_order_seq_cst, memory_order_relaxed);
}

/* Move the head over all records that are taken.
 *
 * Whoever marks a record as taken does this afterwards, and looks at the head after
 * the mark.  So either it moves the head over that record, or it finds the head
 * before it; then whoever moves the head up to it later finds the mark. */
static inline void
ring_advance(const ring_t *ring)
{
    ring_header_t *header = ring->header;
    uint64_t head = atomic_load_explicit(&header->head, memory_order_seq_cst);
    while ((head & 7) == 0) { /* else found corrupt by whoever looks next */
        const record_t *record =
            (const record_t *)(const void *)(ring->data + (head & (ring->capacity - 1)));
        if (atomic_load_explicit(&record->seq, memory_order_seq_cst) !=
            (head | RECORD_TAKEN)) {
            uint64_t moved = atomic_load_explicit(&header->head, memory_order_seq_cst);
            if (moved == head) {
                return;
            }
            head = moved; /* by somebody else, whose record may stand there by now */
            continue;
        }
        /* relaxed: if it is of another record already, the exchange fails */
        uint32_t length = atomic_load_explicit(&record->length, memory_order_relaxed);
        if (length > ring->limit) {
            return; /* the same */
        }
        /* seq_cst: releases the copies out of the record, which senders overwrite, and
         * the slot's mark, which comes before the frame leaves the ring; and comes
         * before the load in ring_owes_room */
        if (atomic_compare_exchange_strong_explicit(&header->head, &head,
                                                    head + record_bytes(length),
                                                    memory_order_seq_cst,
                                                    memory_order_seq_cst)) {
            head += record_bytes(length);
        }
    }
}

/* Mark a record that is ours, and now in a slot. */
static inline void
ring_mark_taken(const ring_frame_t *found)
{
    /* seq_cst: after the slot's mark, and before the look at the head in
     * ring_advance */
    atomic_store_explicit(&found->record->seq, found->seq | RECORD_TAKEN,
                          memory_order_seq_cst);
}

/* Move the record claimed by ring_claim to `copy` and to the slot.  The shared
 * bytes are read once; the slot gets what the caller got. */
static inline void
ring_move(ring_reader_t *reader, const ring_frame_t *found, unsigned char *copy,
          slot_t *slot)
{
    memcpy(copy, found->payload, found->length);
    slot_fill(slot, reader->ring.id, found->seq, copy, found->length);
    ring_mark_taken(found);
    ring_advance(&reader->ring);
}

/* Return whether senders that wait for room are to be woken now.  To be asked
 * after each move of the head, and before each sleep: a receiver may have been
 * killed in between.  Not before half is free, so that each wake-up is worth it. */
static inline bool
ring_owes_room(const ring_reader_t *reader)
{
    const ring_header_t *header = reader->ring.header;
    /* seq_cst: after the exchange in ring_advance; pairs with ring_await_room */
    if (atomic_load_explicit(&header->waiters, memory_order_seq_cst) == 0) {
        return false;
    }
    uint64_t head = atomic_load_explicit(&header->head, memory_order_seq_cst);
    /* signed: others may have got beyond the tail that we have seen */
    return (int64_t)(reader->seen_tail - head) <= (int64_t)(reader->ring.capacity / 2);
}

/* Wake them, through the FIFO that they made full.  A receiver killed before the
 * end leaves its mark, and whoever takes next does it again. */
static inline void
ring_give_room(const ring_reader_t *reader, int room)
{
    ring_header_t *header = reader->ring.header;
    uint32_t waking = RING_WAKING + reader->seat;
    atomic_store_explicit(&header->waiters, waking, memory_order_seq_cst);
    ring_empty(room);
    /* Unless somebody waits again by now, or another receiver is at it. */
    atomic_compare_exchange_strong_explicit(&header->waiters, &waking, 0,
                                            memory_order_seq_cst,
                                            memory_order_relaxed);
}

/* A slot, and the largest frame it holds. */
typedef struct {
    slot_t *slot;
    uint64_t limit;
} ring_slot_t;

/* Find the slot that holds the record, or an empty one; -1 if there is neither. */
static inline ptrdiff_t
ring_slot_for(const ring_t *ring, const ring_frame_t *found, const ring_slot_t *slots,
              size_t count, bool *is_filled)
{
    ptrdiff_t empty = -1;
    *is_filled = false;
    for (size_t i = 0; i < count; i++) {
        const slot_t *slot = slots[i].slot;
        uint32_t length;
        if (!slot_filled(slot, slots[i].limit, &length)) {
            empty = slots[i].limit >= found->length ? (ptrdiff_t)i : empty;
        }
        else if (atomic_load_explicit(&slot->source, memory_order_relaxed) == ring->id &&
                 atomic_load_explicit(&slot->record.seq, memory_order_relaxed) ==
                     found->seq) {
            *is_filled = true;
            return (ptrdiff_t)i;
        }
    }
    return empty;
}

/* Find the record that a dead receiver claimed last: OK, EMPTY when it has left the
 * ring, or CORRUPT.  Others may take meanwhile. */
static inline ring_result_t
ring_find_claim(const ring_t *ring, uint32_t seat, ring_frame_t *found)
{
    const ring_header_t *header = ring->header;
    /* acquire, and in this order: the head is not beyond `next`, and what was noted
     * before that was moved is seen */
    uint64_t head = atomic_load_explicit(&header->head, memory_order_acquire);
    uint64_t next = atomic_load_explicit(&header->next, memory_order_acquire);
    uint64_t claimed = next_position(next, head);
    uint64_t seq = atomic_load_explicit(&header->claims[seat], memory_order_relaxed);
    if (next_claimer(next) == seat + 1) {
        seq = claimed - next_bytes(next);
    }
    if (seq < head) {
        return RING_EMPTY;
    }
    bool is_valid = seq < claimed && claimed - head <= ring->capacity && (seq & 7) == 0 &&
                    ring_look_at(ring, seq, claimed - seq, found);
    if (atomic_load_explicit(&header->head, memory_order_acquire) > seq) {
        return RING_EMPTY; /* others have moved the head meanwhile */
    }
    return is_valid ? RING_OK : RING_CORRUPT;
}

/* Finish what the last receiver of this seat was doing when it died: a record that
 * it had claimed goes into one of its slots, if it is not in one. */
static inline ring_result_t
ring_settle(const ring_reader_t *reader, const ring_slot_t *slots, size_t count)
{
    ring_frame_t found;
    ring_result_t result = ring_find_claim(&reader->ring, reader->seat, &found);
    if (result == RING_OK && !found.is_taken) {
        bool is_filled;
        ptrdiff_t at = ring_slot_for(&reader->ring, &found, slots, count, &is_filled);
        if (at < 0) {
            return RING_CORRUPT; /* these are not its slots */
        }
        if (!is_filled) {
            slot_fill(slots[at].slot, reader->ring.id, found.seq, found.payload,
                      found.length);
        }
        ring_mark_taken(&found);
    }
    if (result != RING_CORRUPT) {
        ring_advance(&reader->ring);
    }
    return result;
}

/* Count the records from `head` to `tail`, which lie in a row at `first`, that are not
 * in a slot.  Sets *whole to false where one makes no sense (senders may be overwriting). */
static inline uint64_t
ring_count(const unsigned char *first, uint64_t head, uint64_t tail, uint64_t limit,
           bool *whole)
{
    uint64_t frames = 0;
    uint64_t at = head;
    while (at < tail) {
        const record_t *record = (const record_t *)(const void *)(first + (at - head));
        if (tail - at < sizeof(record_t)) {
            break;
        }
        uint64_t seq = atomic_load_explicit(&record->seq, memory_order_relaxed);
        uint32_t length = atomic_load_explicit(&record->length, memory_order_relaxed);
        if (!record_is_valid(record, at, seq, length, tail - at, limit)) {
            break;
        }
        at += record_bytes(length);
        frames += (seq & RECORD_TAKEN) == 0;
    }
    *whole = at == tail;
    return frames;
}

/* --- sleeping ----------------------------------------------------------- */

static inline void
ring_arm(const ring_reader_t *reader)
{
    attendance_leave(&reader->ring.header->attendance, reader->seat);
    /* seq_cst: before the look that follows; pairs with ring_put */
    atomic_fetch_or_explicit(&reader->ring.header->asleep[reader->seat / 64],
                             UINT64_C(1) << reader->seat % 64, memory_order_seq_cst);
}

static inline void
ring_disarm(ring_reader_t *reader)
{
    /* relaxed: a sender that still sees the bit rings once in vain */
    atomic_fetch_and_explicit(&reader->ring.header->asleep[reader->seat / 64],
                              ~(UINT64_C(1) << reader->seat % 64),
                              memory_order_relaxed);
    promise_break(&reader->ring.header->attendance.sentry, reader->seat);
    reader->pace.seen_tail = 0;
}

/* Read the bell empty, to look at the ring next: those for whom it was rung as well may
 * sleep on. */
static inline void
ring_hush(const ring_reader_t *reader, int bell)
{
    ring_empty(bell);
    promise_break(&reader->ring.header->attendance.sentry, PROMISE_CALLED);
}

/* The receiver is going to take, or is done with what it took. */
static inline void
ring_note_done(ring_reader_t *reader, const slot_t *slot)
{
    if (reader->pace.taken_ns != 0) {
        pace_note_done(&reader->pace, slot, monotonic_ns());
    }
}

/* The receiver has taken, and others sleep: let it be the attendant, if it is quick. */
static inline void
ring_note_taken(ring_reader_t *reader, const slot_t *slot)
{
    int64_t now = monotonic_ns();
    reader->pace.taken_ns = now;
    reader->pace.slot = slot;
    if (reader->pace.quick >= QUICK_PROOF) {
        promise_make(&reader->ring.header->attendance.attendant, reader->seat, now);
    }
}

/* To be done after each take: the bell that was read empty may have been rung for more
 * than one frame, so wake another receiver for what is left, if one is to be woken. */
static inline void
ring_share(ring_reader_t *reader, const slot_t *slot, int bell)
{
    if (ring_is_anybody_asleep(reader->ring.header)) {
        ring_note_taken(reader, slot);
        if (ring_has_frame(&reader->ring)) {
            ring_call(reader->ring.header, bell);
        }
    }
}

/* Return whether another receiver looks after what comes. */
static inline bool
ring_is_attended(const ring_reader_t *reader)
{
    return attendance_is_of_another(&reader->ring.header->attendance, reader->seat,
                                    monotonic_ns());
}

/* Return for how long a receiver that is armed may sleep: SENTRY_NS where it is wanted
 * as the sentry; 0 where it has to take, because what waits has waited for so long, or
 * nobody attends any more; -1 for as long as it likes. */
static inline int64_t
ring_stand_by(ring_reader_t *reader)
{
    ring_header_t *header = reader->ring.header;
    uint64_t *seen = &reader->pace.seen_tail;
    int64_t now = monotonic_ns();
    bool is_late = *seen != 0 && ring_is_before(header, *seen);
    *seen = 0;
    if (!is_late && attendance_is_of_another(&header->attendance, reader->seat, now)) {
        if (!promise_make(&header->attendance.sentry, reader->seat, now)) {
            return -1;
        }
        *seen = atomic_load_explicit(&header->tail, memory_order_relaxed);
        return SENTRY_NS;
    }
    promise_break(&header->attendance.sentry, reader->seat);
    return ring_has_frame(&reader->ring) ? 0 : -1;
}

/* The last receiver of this seat is dead: it does not sleep, and it keeps no promise.  It
 * may have been the one that was called as well, or that was just calling. */
static inline void
ring_resign(ring_reader_t *reader)
{
    attendance_t *attendance = &reader->ring.header->attendance;
    ring_disarm(reader);
    promise_break(&attendance->attendant, reader->seat);
    promise_break(&attendance->sentry, PROMISE_CALLED);
}

/* Return whether somebody else is to be woken after ring_settle: the dead receiver may
 * have been the one that woke, or that others relied on. */
static inline bool
ring_owes_bell(const ring_t *ring)
{
    return ring_has_frame(ring) && ring_is_anybody_asleep(ring->header);
}

#endif
