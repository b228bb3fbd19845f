/* Senders and a receiver on one ring, as processes that are killed all the time.
 *
 *     processes_on_a_ring SECONDS SEED
 *
 * The parent does what a supervisor does: it rings the bell that a dead sender owes,
 * writes off what a dead receiver had in hand, and starts the next one.  From time to
 * time it kills all senders and waits until the receiver, which may sleep, has emptied
 * the ring.
 *
 * Prints one line of counts.  Exits with 0 when of each sender every frame that was
 * accepted was handled or in hand, whole, once and in order.
 */
#include "ring.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define SENDERS 3
#define LIVES 65536u /* of senders, in all: each has its own numbers */
#define CAPACITY UINT64_C(8192)
#define LONGEST 300u
#define LIFE_US 2000u
#define KILLS_PER_PAUSE 32
#define PATIENCE_NS INT64_C(10000000000)

typedef struct {
    uint32_t life, number;
    unsigned char rest[LONGEST];
} frame_t;

/* All that is known after a death. */
typedef struct {
    _Atomic uint64_t notes[SENDERS];
    _Atomic uint32_t accepted[LIVES], handled[LIVES]; /* the last number */
    _Atomic uint32_t wrong;
    _Alignas(CACHE_LINE) unsigned char slot[CAPACITY + 2 * CACHE_LINE];
} shared_t;

static shared_t *shared;
static slot_t *slot;
static int ring_fd, bell[2];
static uint32_t lives, sender_kills, receiver_kills, in_hand, inherited,
    recoveries;

static void
check(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s\n", what);
        exit(1);
    }
}

static void
pause_us(unsigned microseconds)
{
    struct timespec time = {.tv_nsec = (long)microseconds * 1000};
    nanosleep(&time, NULL);
}

static uint32_t
rest_bytes(uint32_t number)
{
    return number * 37 % LONGEST;
}

/* --- a sender ----------------------------------------------------------- */

static void
send_for_ever(uint32_t life, _Atomic uint64_t *note)
{
    ring_writer_t writer = {.bell = bell[1], .note = note, .note_value = 1};
    frame_t frame = {.life = life};
    check(ring_map(&writer.ring, ring_fd) == RING_OK, "map for a sender");
    for (uint32_t number = 1;; number++) {
        frame.number = number;
        memset(frame.rest, (int)(number & 0xFF), sizeof frame.rest);
        struct iovec parts[] = {{&frame, 8}, {frame.rest, rest_bytes(number)}};
        ring_result_t result;
        while ((result = ring_put(&writer, parts, 2, 8 + rest_bytes(number))) ==
               RING_FULL) {
            sched_yield();
        }
        check(result == RING_OK, "put");
        atomic_store(&shared->accepted[life], number);
        if (number % 64 < 8) { /* now and then the receiver falls asleep */
            pause_us(50);
        }
    }
}

/* --- a receiver --------------------------------------------------------- */

static bool
is_whole(const frame_t *frame, uint32_t length)
{
    if (length < 8 || frame->life >= LIVES ||
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

static void
handle(const frame_t *frame, uint32_t length)
{
    slot_start(slot);
    if (!is_whole(frame, length) ||
        atomic_load(&shared->handled[frame->life]) != frame->number - 1) {
        atomic_fetch_add(&shared->wrong, 1); /* torn, lost, twice or out of order */
    }
    else {
        atomic_store(&shared->handled[frame->life], frame->number);
    }
    slot_clear(slot);
}

/* Handle what the last receiver took and did not start. */
static void
adopt(ring_reader_t *reader)
{
    uint32_t length;
    check(ring_map(&reader->ring, ring_fd) == RING_OK, "map for a receiver");
    check(ring_resume(reader) == RING_OK, "resume");
    ring_slot_t slots[] = {{slot, reader->ring.limit}};
    check(ring_settle(reader, slots, 1) != RING_CORRUPT, "settle");
    if (slot_filled(slot, reader->ring.limit, &length) && atomic_load(&slot->started) == 0) {
        handle((frame_t *)(void *)slot->payload, length);
    }
    slot_clear(slot);
}

static bool
take(ring_reader_t *reader)
{
    frame_t frame;
    ring_frame_t found;
    ring_result_t result = ring_peek(reader, &found);
    if (result == RING_EMPTY) {
        return false;
    }
    check(result == RING_OK && found.length <= sizeof frame, "take");
    check(ring_claim(reader, &found), "claim");
    ring_move(reader, &found, (unsigned char *)&frame, slot);
    handle(&frame, found.length);
    return true;
}

static void
receive_for_ever(void)
{
    char rings[64];
    ring_reader_t reader = {.seat = 0};
    struct pollfd poll_fd = {.fd = bell[0], .events = POLLIN};
    adopt(&reader);
    for (;;) {
        while (take(&reader)) {
        }
        ring_arm(&reader);
        if (!ring_has_frame(&reader.ring)) {
            poll(&poll_fd, 1, -1);
        }
        ring_disarm(&reader);
        while (read(bell[0], rings, sizeof rings) > 0) {
        }
    }
}

/* --- the parent --------------------------------------------------------- */

static pid_t
start_process(void (*run)(uint32_t, _Atomic uint64_t *), uint32_t life,
              _Atomic uint64_t *note)
{
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run(life, note);
    }
    return pid;
}

static void
receive(uint32_t life, _Atomic uint64_t *note)
{
    (void)life;
    (void)note;
    receive_for_ever();
}

static pid_t
start_sender(int place)
{
    return start_process(send_for_ever, lives++, &shared->notes[place]);
}

/* SIGKILL, and see that nothing else had ended it before. */
static void
end_process(pid_t pid)
{
    int status;
    kill(pid, SIGKILL);
    check(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
              WTERMSIG(status) == SIGKILL,
          "a process ended by itself");
}

static void
kill_sender(pid_t pid, int place)
{
    end_process(pid);
    sender_kills++;
    if (atomic_exchange(&shared->notes[place], 0) != 0) {
        ring_ring(bell[1]);
    }
}

static void
kill_receiver(pid_t pid)
{
    uint32_t length;
    end_process(pid);
    receiver_kills++;
    if (!slot_filled(slot, CAPACITY, &length)) {
        return;
    }
    if (atomic_load(&slot->started) == 0) {
        inherited++;
        return;
    }
    const frame_t *frame = (frame_t *)(void *)slot->payload;
    check(is_whole(frame, length), "torn in the slot");
    in_hand++; /* handled or not: nobody knows, so it is written off */
    uint32_t handled = atomic_load(&shared->handled[frame->life]);
    check(handled == frame->number - 1 || handled == frame->number, "in hand");
    atomic_store(&shared->handled[frame->life], frame->number);
}

/* Without any sender left the receiver must find all there is. */
static void
wait_until_empty(const ring_t *ring)
{
    int64_t deadline = monotonic_ns() + PATIENCE_NS;
    uint32_t length;
    while (ring_has_frame(ring) ||
           slot_filled(slot, CAPACITY, &length)) {
        check(monotonic_ns() < deadline, "the receiver was left asleep");
        pause_us(20);
    }
}

static void
check_accounts(void)
{
    check(atomic_load(&shared->wrong) == 0, "torn, lost, twice or out of order");
    for (uint32_t life = 0; life < lives; life++) {
        uint32_t accepted = atomic_load(&shared->accepted[life]);
        uint32_t handled = atomic_load(&shared->handled[life]);
        /* killed between a put and its note of it: one more */
        check(handled == accepted || handled == accepted + 1, "lost");
    }
}

static void
run(int64_t deadline)
{
    pid_t senders[SENDERS], receiver;
    ring_t ring;
    check(ring_map(&ring, ring_fd) == RING_OK, "map");
    receiver = start_process(receive, 0, NULL);
    while (monotonic_ns() < deadline && lives + SENDERS <= LIVES) {
        for (int i = 0; i < SENDERS; i++) {
            senders[i] = start_sender(i);
        }
        for (int kills = 0; kills < KILLS_PER_PAUSE && lives < LIVES; kills++) {
            int place = rand() % SENDERS;
            pause_us((unsigned)rand() % LIFE_US);
            if (rand() % 2) {
                kill_receiver(receiver);
                receiver = start_process(receive, 0, NULL);
            }
            else {
                kill_sender(senders[place], place);
                senders[place] = start_sender(place);
            }
        }
        for (int i = 0; i < SENDERS; i++) {
            kill_sender(senders[i], i);
        }
        wait_until_empty(&ring);
        check_accounts();
    }
    kill_receiver(receiver);
    recoveries = atomic_load(&ring.header->recoveries);
    ring_unmap(&ring);
}

int
main(int argc, char **argv)
{
    uint64_t frames = 0;
    check(argc == 3, "usage: processes_on_a_ring SECONDS SEED");
    srand((unsigned)atoi(argv[2]));
    ring_fd = memfd_create("ring", MFD_CLOEXEC);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(ring_fd >= 0 && shared != MAP_FAILED && pipe2(bell, O_NONBLOCK) == 0, "set up");
    slot = (slot_t *)(void *)shared->slot;
    check(ftruncate(ring_fd, (off_t)(ring_header_bytes() + CAPACITY)) == 0, "truncate");
    check(ring_format(ring_fd, CAPACITY) == RING_OK, "format");
    run(monotonic_ns() + atoi(argv[1]) * INT64_C(1000000000));
    for (uint32_t life = 0; life < lives; life++) {
        frames += atomic_load(&shared->handled[life]);
    }
    printf("%llu frames, %u senders and %u receivers killed, %u frames in hand,"
           " %u inherited, %u mutexes of the dead\n",
           (unsigned long long)frames, sender_kills, receiver_kills, in_hand, inherited,
           recoveries);
    return 0;
}
