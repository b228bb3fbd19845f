/* attendance.h - when the receivers of a ring that sleep need not be woken for a frame.
 *
 * To wake a receiver costs more than to handle a short message, and where the cores
 * are busy it takes one from whoever works.  So one receiver that is awake, and gets
 * done with its messages quickly, is the *attendant*: it promises to take again at
 * once.  That it keeps its promise cannot be known, for the next message may take long.
 * So one of those that sleep is the *sentry*: it promises to wake by itself, and look.
 * While both promises hold nobody is woken.
 *
 * When the attendant goes to sleep, what comes next is likely to be as short.  So for as
 * long as its promise would have held, one is called at a time: who has been called finds
 * what came meanwhile as well, and calls another where that is worth it.
 *
 * Guarantees
 *   - A frame for which nobody was woken is looked at within PROMISE_NS, whatever the
 *     attendant does.  Where those that sleep are stopped or killed as well, it waits for
 *     the next frame, or for whoever settles them; and so it does where the one who was
 *     called is stopped before it has read the bell, or whoever calls before it has rung.
 *   - What has waited since the sentry's last look is taken by it: so where the attendant
 *     falls behind, the others join in, one for each look.
 *   - A promise lapses by itself: one who is killed or stopped holds nobody up for long.
 *   - What another process wrote is input: a promise that reaches further than one can
 *     holds for nobody.
 */
#ifndef TRANSPORTS_ATTENDANCE_H
#define TRANSPORTS_ATTENDANCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PROMISE_NS INT64_C(4000000)
#define SENTRY_NS INT64_C(2000000) /* then it looks, and promises again */
/* From a take until the receiver wants more.  A Python handler that does nothing needs
 * 4 us; for one that needs much more than that, it pays to wake another. */
#define QUICK_NS INT64_C(12000)
#define QUICK_PROOF 16u /* quick ones, less what slow ones cost, of an attendant */
#define QUICK_MOST 64u  /* that count */
#define SLOW_COST 32u
/* seat + 1; the other bits are until when.  0: of an attendant that has gone to sleep. */
#define PROMISE_SEAT UINT64_C(0xFF)
#define PROMISE_CALLED 254u         /* no seat: of whoever has just been rung for */

/* Each word is 0 or a promise. */
typedef struct {
    _Atomic uint64_t attendant;
    _Atomic uint64_t sentry;
} attendance_t;

/* How quickly one receiver gets done with what it takes. */
typedef struct {
    int64_t taken_ns; /* 0 unless it has a frame in hand */
    const void *slot;
    uint32_t quick;
    uint64_t seen_tail; /* of the ring, when it became the sentry, or 0 */
} pace_t;

static inline uint64_t
promise_of(uint32_t seat, int64_t now)
{
    return ((uint64_t)(now + PROMISE_NS) & ~PROMISE_SEAT) | (seat + 1);
}

static inline int64_t
promise_left(uint64_t promise, int64_t now)
{
    int64_t left = (int64_t)((promise & ~PROMISE_SEAT) - (uint64_t)now);
    return left > 0 && left <= PROMISE_NS ? left : 0;
}

static inline bool
promise_is_of(uint64_t promise, uint32_t seat)
{
    return (promise & PROMISE_SEAT) == seat + 1;
}

/* Return whether it is the promise of somebody, and holds. */
static inline bool
promise_holds(uint64_t promise, int64_t now)
{
    return (promise & PROMISE_SEAT) != 0 && promise_left(promise, now) > 0;
}

/* Return whether another one than the receiver with this seat attends. */
static inline bool
attendance_is_of_another(const attendance_t *attendance, uint32_t seat, int64_t now)
{
    uint64_t promise =
        atomic_load_explicit(&attendance->attendant, memory_order_relaxed);
    return !promise_is_of(promise, seat) && promise_holds(promise, now);
}

/* Make a promise, or make it last; false where somebody else has.  It is made again
 * only when a quarter of it is over: the word is read by all. */
static inline bool
promise_make(_Atomic uint64_t *word, uint32_t seat, int64_t now)
{
    uint64_t promise = atomic_load_explicit(word, memory_order_relaxed);
    bool is_own = promise_is_of(promise, seat);
    if (!is_own && promise_holds(promise, now)) {
        return false;
    }
    return (is_own && promise_left(promise, now) > PROMISE_NS / 4 * 3) ||
           atomic_compare_exchange_strong_explicit(word, &promise, promise_of(seat, now),
                                                   memory_order_seq_cst,
                                                   memory_order_relaxed);
}

/* Return whether one that sleeps is to be woken for a frame that is in the ring.  Where
 * there is an attendant, or was one lately, the woken one counts as called, so that not
 * every frame is rung for until it has had the time to wake.
 * seq_cst: after the store of the tail; pairs with promise_break */
static inline bool
attendance_call(attendance_t *attendance, int64_t now)
{
    uint64_t attendant =
        atomic_load_explicit(&attendance->attendant, memory_order_seq_cst);
    if (promise_left(attendant, now) == 0) {
        return true;
    }
    uint64_t promise = atomic_load_explicit(&attendance->sentry, memory_order_seq_cst);
    bool is_kept = promise_left(promise, now) > 0;
    if (promise_holds(attendant, now)) {
        return !is_kept && atomic_compare_exchange_strong_explicit(
                               &attendance->sentry, &promise,
                               promise_of(PROMISE_CALLED, now), memory_order_seq_cst,
                               memory_order_relaxed);
    }
    /* Nobody attends: a sentry would look too late. */
    if (is_kept && promise_is_of(promise, PROMISE_CALLED)) {
        return false;
    }
    atomic_store_explicit(&attendance->sentry, promise_of(PROMISE_CALLED, now),
                          memory_order_seq_cst);
    return true;
}

/* Take a promise back.  seq_cst: before the look at the ring that has to follow, so
 * that a frame put under the promise is found by it. */
static inline void
promise_break(_Atomic uint64_t *word, uint32_t seat)
{
    uint64_t promise = atomic_load_explicit(word, memory_order_relaxed);
    if (promise_is_of(promise, seat)) {
        atomic_compare_exchange_strong_explicit(word, &promise, 0, memory_order_seq_cst,
                                                memory_order_relaxed);
    }
}

/* Go to sleep as the attendant: leave what is left of the promise, without the seat.
 * seq_cst: as in promise_break */
static inline void
attendance_leave(attendance_t *attendance, uint32_t seat)
{
    uint64_t promise =
        atomic_load_explicit(&attendance->attendant, memory_order_relaxed);
    if (promise_is_of(promise, seat)) {
        atomic_compare_exchange_strong_explicit(
            &attendance->attendant, &promise, promise & ~PROMISE_SEAT,
            memory_order_seq_cst, memory_order_relaxed);
    }
}

/* The receiver is going to take: what it had in hand is done. */
static inline void
pace_note_done(pace_t *pace, const void *slot, int64_t now)
{
    if (pace->taken_ns == 0) {
        return;
    }
    /* In another slot: what was taken before may still be in hand. */
    if (slot == pace->slot && now - pace->taken_ns <= QUICK_NS) {
        pace->quick += pace->quick < QUICK_MOST;
    }
    else {
        pace->quick -= pace->quick < SLOW_COST ? pace->quick : SLOW_COST;
    }
    pace->taken_ns = 0;
}

#endif
