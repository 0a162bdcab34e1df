/*
 * What the hot paths cost, one operation each.
 *
 *   micro                    all of them: ns an operation, median and range of rounds
 *   micro NAME…              some
 *   micro count NAME TIMES   TIMES times and nothing else, for instruction counts; says with which
 *                            compiler, AES-GCM and SHA-256
 */
#include <stdbool.h>
#include <time.h>

#ifdef CONFAB_FAST_GCM
#include "crypto/gcm_fast.h"
#endif
#ifdef CONFAB_FAST_SHA256
#include "crypto/sha256_fast.h"
#endif
#include "micro.h"
#include "net/tls.h"

#define ROUNDS 9
#define ROUND_NS 30e6

static const struct micro *const all[] = {
    &micro_line,
    &micro_request,
    &micro_event,
    &micro_core,
    &micro_seal_150,
    &micro_seal_16000,
    &micro_open_150,
    &micro_open_16000,
    &micro_fanout_1,
    &micro_fanout_20,
    &micro_handshake,
    &micro_resume,
};
#define ALL (sizeof all / sizeof *all)

uint64_t micro_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static const char *gcm_name(void)
{
#ifdef CONFAB_FAST_GCM
	return gcm_fast_is_supported() ? "x86" : "stock";
#else
	return "stock";
#endif
}

static const char *sha256_name(void)
{
#ifdef CONFAB_FAST_SHA256
	return sha256_fast_is_supported() ? "x86" : "stock";
#else
	return "stock";
#endif
}

static const struct micro *find(const char *name)
{
	for (size_t i = 0; i < ALL; i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	fprintf(stderr, "micro: there is no '%s'; there are:", name);
	for (size_t i = 0; i < ALL; i++)
		fprintf(stderr, " %s", all[i]->name);
	fprintf(stderr, "\n");
	exit(2);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(const struct micro *micro)
{
	void *state = micro->begin();
	double ns[ROUNDS];
	unsigned times = 1;

	/* As many times as a round is long; this warms up, too. */
	while ((double)micro->run(state, times) < ROUND_NS / 4 && times < 1u << 20)
		times *= 2;
	for (int round = 0; round < ROUNDS; round++)
		ns[round] = (double)micro->run(state, times) / times / micro->per_time;
	qsort(ns, ROUNDS, sizeof *ns, by_value);
	printf("%-12s %12.1f %12.1f %12.1f   %s\n", micro->name, ns[ROUNDS / 2], ns[0],
	    ns[ROUNDS - 1], micro->operation);
	fflush(stdout);
	micro->end(state);
}

static int count(const char *name, const char *times)
{
	const struct micro *micro = find(name);
	char *end;
	unsigned long wanted = strtoul(times, &end, 10);
	void *state;

	if (*end != '\0' || wanted == 0 || wanted > 10000000) {
		fprintf(stderr, "micro: '%s' is no number of times\n", times);
		return 2;
	}
	state = micro->begin();
	micro->run(state, (unsigned)wanted);
	micro->end(state);
	printf("operations %lu\ncompiler %s\ngcm %s\nsha256 %s\n", wanted * micro->per_time,
	    MICRO_COMPILER, gcm_name(), sha256_name());
	return 0;
}

int main(int argc, char **argv)
{
	struct error err;

	CHECK(tls_startup(&err) == STATUS_OK);
	if (argc == 4 && strcmp(argv[1], "count") == 0)
		return count(argv[2], argv[3]);
	printf("%-12s %12s %12s %12s   operation (AES-GCM %s, SHA-256 %s, %s)\n", "name",
	    "ns, median", "least", "most", gcm_name(), sha256_name(), MICRO_COMPILER);
	for (size_t i = 0; argc == 1 && i < ALL; i++)
		measure(all[i]);
	for (int i = 1; i < argc; i++)
		measure(find(argv[i]));
	return 0;
}
