/*
 * Micro-benchmarks: one operation of a hot path each, without sockets where that can be, repeated.
 * micro.c times them or repeats one a fixed number of times, so that its instructions can be
 * counted; micro_*.c have the operations.
 *
 * What counts is done in functions named measured_…, which the compiler may not inline: the
 * counter (bench/budgets.py) collects inside of them only, and the rest prepares. One thread. A
 * failure ends the program.
 */
#ifndef CONFAB_BENCH_MICRO_H
#define CONFAB_BENCH_MICRO_H

#include <stdint.h>

#include "tests/unit/unit.h"

/* Keeps the function a function of its own under its own name. */
#if defined(__clang__)
#define MEASURED __attribute__((noinline))
#else
#define MEASURED __attribute__((noinline, noclone))
#endif

struct micro {
	const char *name;
	const char *operation; /* what is counted, in the singular */
	unsigned per_time;     /* operations of which one time consists */
	void *(*begin)(void);
	/* Does it `times` times; nanoseconds in which the processor was at what is measured. */
	uint64_t (*run)(void *state, unsigned times);
	void (*end)(void *state);
};

/* Processor time of this thread, ns. */
uint64_t micro_now(void);

/* micro_wire.c */
extern const struct micro micro_line, micro_request, micro_event;
/* micro_core.c */
extern const struct micro micro_core;
/* micro_tls.c */
extern const struct micro micro_seal_150, micro_seal_16000, micro_open_150, micro_open_16000,
    micro_handshake, micro_resume;
/* micro_fanout.c */
extern const struct micro micro_fanout_1, micro_fanout_20;

#endif
