/* stepping.h - stop a child at any instruction of what it does.
 *
 * One child is stepped from the beginning to the end, and its way is written down.
 * Every other one runs to its instruction at full speed, up to a breakpoint: to step
 * each of them there takes a quarter of a million stops where this takes some thousands.
 * Where there are no breakpoints for this kind of processor, or a child takes another way
 * (the clock's function may have to read again), it is stepped after all.
 */
#ifndef TESTS_STEPPING_H
#define TESTS_STEPPING_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOT_ALLOWED 77
#define WHOLE (-1) /* in place of a number of instructions: all, and note the way */
#define MAX_INSTRUCTIONS 65536

static unsigned long way[MAX_INSTRUCTIONS]; /* the address of each, where it is known */
static int way_length;
static bool is_stepped; /* whether breakpoints are of no use just now */

static void
check(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s: %s\n", what, strerror(errno));
        exit(1);
    }
}

/* Let the child go on as `request` says; false if it has ended. */
static bool
goes_on(pid_t child, enum __ptrace_request request)
{
    int status;
    check(ptrace(request, child, NULL, NULL) == 0, "ptrace");
    waitpid(child, &status, 0);
    return !WIFEXITED(status);
}

#if defined(__x86_64__)
#define HAS_BREAKPOINTS true
#define BREAKPOINT 0xCCL

static unsigned long
instruction_of(pid_t child)
{
    return (unsigned long)ptrace(PTRACE_PEEKUSER, child,
                                 offsetof(struct user_regs_struct, rip), NULL);
}

/* Run until the child is at this instruction; false if it has ended. */
static bool
runs_to(pid_t child, unsigned long instruction)
{
    long code = ptrace(PTRACE_PEEKTEXT, child, instruction, NULL);
    ptrace(PTRACE_POKETEXT, child, instruction, (code & ~0xFFL) | BREAKPOINT);
    if (!goes_on(child, PTRACE_CONT)) {
        return false;
    }
    check(instruction_of(child) == instruction + 1, "breakpoint");
    ptrace(PTRACE_POKETEXT, child, instruction, code);
    ptrace(PTRACE_POKEUSER, child, offsetof(struct user_regs_struct, rip), instruction);
    return true;
}
#else
#define HAS_BREAKPOINTS false

static unsigned long
instruction_of(pid_t child)
{
    (void)child;
    return 0;
}

static bool
runs_to(pid_t child, unsigned long instruction)
{
    (void)child, (void)instruction;
    return false;
}
#endif

/* Step over `steps` instructions; false if the child has ended before. */
static bool
steps_over(pid_t child, int steps)
{
    for (int i = 0; i != steps; i++) {
        if (steps == WHOLE) {
            check(i < MAX_INSTRUCTIONS, "too many instructions");
            way[i] = instruction_of(child);
            way_length = i + 1;
        }
        if (!goes_on(child, PTRACE_SINGLESTEP)) {
            return false;
        }
    }
    return true;
}

/* Run over `steps` instructions of the way; false if the child has ended before. */
static bool
runs_over(pid_t child, int steps)
{
    bool is_first = true;
    for (int i = 0; i <= steps; i++) {
        if (way[i] != way[steps]) {
            continue;
        }
        /* It is there already: on to the next time that it comes by. */
        if (!is_first && !goes_on(child, PTRACE_SINGLESTEP)) {
            return false;
        }
        bool is_there = instruction_of(child) == way[steps];
        if (!is_there && !runs_to(child, way[steps])) {
            return false;
        }
        is_first = false;
    }
    return true;
}

/* Start a child and let it execute `steps` instructions of `act`; 0 if it got through. */
static pid_t
stopped_after(void (*act)(void), int steps)
{
    int status;
    pid_t child = fork();
    check(child >= 0, "fork");
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) {
            _exit(NOT_ALLOWED);
        }
        raise(SIGSTOP);
        act();
        _exit(0);
    }
    waitpid(child, &status, 0);
    if (WIFEXITED(status)) {
        exit(WEXITSTATUS(status));
    }
    bool is_there = steps == WHOLE || is_stepped ? steps_over(child, steps)
                                                 : runs_over(child, steps);
    return is_there ? child : 0;
}

static void
kill_stopped(pid_t child)
{
    if (child != 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
}

static bool
killed_after(void (*act)(void), int steps)
{
    pid_t child = stopped_after(act, steps);
    kill_stopped(child);
    return child != 0;
}

static void
let_go(pid_t child)
{
    ptrace(PTRACE_CONT, child, NULL, NULL);
    waitpid(child, NULL, 0);
}

/* Have `scenario` stop its child before each of its instructions, and return how many
 * there are.  The scenario says whether its child was stopped. */
static int
at_every_instruction(bool (*scenario)(int steps, void *report), void *report)
{
    scenario(WHOLE, report);
    int length = way_length;
    for (int steps = 0; steps < length; steps++) {
        is_stepped = !HAS_BREAKPOINTS;
        if (!scenario(steps, report) && !is_stepped) {
            is_stepped = true;
            scenario(steps, report);
        }
    }
    return length;
}

#endif
