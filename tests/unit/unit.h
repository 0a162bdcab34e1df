/*
 * The unit tests' frame: one program a room, each case a ctest entry of its own.
 *
 *     TEST(unit__verb__scenario) { CHECK(2 + 2 == 4); CHECK_STR(buf_text(&b), "x"); }
 *     UNIT_MAIN(CASE(unit__verb__scenario), …)
 *
 * A failed check prints where and what, and ends the case. Run without arguments the program lists
 * its cases; with a name it runs that case: exit 0 passed, 1 failed.
 */
#ifndef CONFAB_TESTS_UNIT_H
#define CONFAB_TESTS_UNIT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit_case {
	const char *name;
	void (*run)(void);
};

#define TEST(name) static void name(void)
#define CASE(name) {#name, name}

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);    \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

#define CHECK_INT(got, want)                                                                       \
	do {                                                                                       \
		long long got_ = (long long)(got), want_ = (long long)(want);                      \
		if (got_ != want_) {                                                               \
			fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #got, \
			    got_, want_);                                                          \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

#define CHECK_STR(got, want)                                                                       \
	do {                                                                                       \
		const char *got_ = (got), *want_ = (want);                                         \
		if (strcmp(got_, want_) != 0) {                                                    \
			fprintf(stderr, "%s:%d: %s is \"%s\", not \"%s\"\n", __FILE__, __LINE__,   \
			    #got, got_, want_);                                                    \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

#define UNIT_MAIN(...)                                                                             \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		static const struct unit_case cases[] = {__VA_ARGS__};                             \
		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {                        \
			if (argc < 2) {                                                            \
				printf("%s\n", cases[i].name);                                     \
			} else if (strcmp(argv[1], cases[i].name) == 0) {                          \
				cases[i].run();                                                    \
				return 0;                                                          \
			}                                                                          \
		}                                                                                  \
		if (argc >= 2)                                                                     \
			fprintf(stderr, "no case named %s\n", argv[1]);                            \
		return argc < 2 ? 0 : 1;                                                           \
	}

#endif
