/*
 * The main of a fuzz target where there is no libFuzzer.
 *
 *     fuzz_json FILE...          gives it each file: an input that failed before, say
 *     fuzz_json [--seed N] [--runs N]   gives it mutations of its seeds, the same ones for the
 *                                same N; writes the input that fails to fuzz-failure.bin
 */
#include <signal.h>
#include <string.h>

#include "base/rng.h"
#include "base/str.h"
#include "tests/fuzz/fuzz.h"

#define INPUT_MAX 70000
#define RUNS_DEFAULT 20000

static uint8_t input[INPUT_MAX];
static size_t input_len;

/* An exact copy, so that the sanitizers see a byte read behind the end. */
static void run_input(void)
{
	uint8_t *copy = malloc(input_len > 0 ? input_len : 1);

	if (copy == NULL) {
		fputs("out of memory\n", stderr);
		exit(1);
	}
	memcpy(copy, input, input_len);
	LLVMFuzzerTestOneInput(copy, input_len);
	free(copy);
}

/* The process is lost: what matters is to keep its last input. */
static void save_failure(int signum)
{
	FILE *file = fopen("fuzz-failure.bin", "wb");

	if (file != NULL) {
		fwrite(input, 1, input_len, file);
		fclose(file);
		fputs("the input is in fuzz-failure.bin\n", stderr);
	}
	signal(signum, SIG_DFL);
	raise(signum);
}

static size_t count_of(const char *const *list)
{
	size_t count = 0;

	while (list[count] != NULL)
		count++;
	return count;
}

static void insert(size_t at, const void *bytes, size_t len)
{
	if (len > INPUT_MAX - input_len)
		return;
	memmove(input + at + len, input + at, input_len - at);
	memcpy(input + at, bytes, len);
	input_len += len;
}

static void insert_text(size_t at, const char *text)
{
	insert(at, text, strlen(text));
}

static void cut(size_t at, size_t len)
{
	memmove(input + at, input + at + len, input_len - at - len);
	input_len -= len;
}

/* Repeats a part many times over: sizes and depths that no seed has. */
static void repeat(struct rng *rng, size_t at, size_t len)
{
	uint8_t part[64];
	size_t count = (size_t)rng_below(rng, rng_below(rng, 20) == 0 ? 2000 : 10);

	if (len > sizeof part)
		len = sizeof part;
	memcpy(part, input + at, len);
	for (size_t i = 0; i < count; i++)
		insert(at, part, len);
}

static void mutate(struct rng *rng)
{
	static const uint8_t odd[] = {0, '\n', '\r', ' ', '"', '\\', '{', '}', '[', ']', ',', ':',
	    'u', 'e', '-', '.', '0', '9', 0x7F, 0x80, 0xBF, 0xC0, 0xE2, 0xED, 0xF4, 0xFF};
	size_t at = (size_t)rng_below(rng, input_len + 1);
	size_t len = input_len > at ? (size_t)rng_below(rng, input_len - at) + 1 : 0;

	switch (rng_below(rng, 8)) {
	case 0:
		if (len > 0)
			input[at] ^= (uint8_t)(1u << rng_below(rng, 8));
		break;
	case 1:
		if (len > 0)
			input[at] = odd[rng_below(rng, sizeof odd)];
		break;
	case 2:
		insert(at, &odd[rng_below(rng, sizeof odd)], 1);
		break;
	case 3:
		cut(at, len > 16 ? (size_t)rng_below(rng, 16) : len);
		break;
	case 4:
		if (rng_below(rng, 4) == 0)
			input_len = at;
		break;
	case 5:
		repeat(rng, at, len);
		break;
	case 6:
		insert_text(at, fuzz_pieces[rng_below(rng, count_of(fuzz_pieces))]);
		break;
	default:
		if (rng_below(rng, 4) == 0)
			insert_text(at, fuzz_seeds[rng_below(rng, count_of(fuzz_seeds))]);
		break;
	}
}

static void run_mutations(uint64_t seed, int64_t runs)
{
	struct rng rng = {seed};

	for (int64_t i = 0; i < runs; i++) {
		uint64_t count = rng_below(&rng, 8);

		input_len = 0;
		insert_text(0, fuzz_seeds[rng_below(&rng, count_of(fuzz_seeds))]);
		while (count-- > 0)
			mutate(&rng);
		run_input();
	}
	printf("%lld inputs of seed %llu\n", (long long)runs, (unsigned long long)seed);
}

static int run_file(const char *path)
{
	FILE *file = fopen(path, "rb");

	if (file == NULL) {
		fprintf(stderr, "%s: cannot be read\n", path);
		return 1;
	}
	input_len = fread(input, 1, sizeof input, file);
	fclose(file);
	run_input();
	return 0;
}

int main(int argc, char **argv)
{
	int64_t seed = 1, runs = RUNS_DEFAULT;
	int files = 0, failed = 0;

	signal(SIGABRT, save_failure);
	for (int i = 1; i < argc; i++) {
		bool is_seed = strcmp(argv[i], "--seed") == 0;

		if (is_seed || strcmp(argv[i], "--runs") == 0) {
			if (i + 1 == argc ||
			    !str_to_int(slice_of(argv[++i]), 0, INT64_MAX, is_seed ? &seed : &runs)) {
				fputs("a number is missing\n", stderr);
				return 2;
			}
		} else {
			failed += run_file(argv[i]);
			files++;
		}
	}
	if (files == 0)
		run_mutations((uint64_t)seed, runs);
	return failed > 0 ? 1 : 0;
}
