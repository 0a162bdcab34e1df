/*
 * What the fuzz targets share. A target defines LLVMFuzzerTestOneInput, which feeds one input to a
 * parser and checks what must hold for any input, and the seeds that mutations start from. A
 * broken promise aborts, which libFuzzer and the plain main both report with the input.
 */
#ifndef CONFAB_TESTS_FUZZ_H
#define CONFAB_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define FUZZ_CHECK(condition)                                                                      \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Inputs that reach far into the parser, and pieces that make new ones of them; NULL-terminated. */
extern const char *const fuzz_seeds[];
extern const char *const fuzz_pieces[];

#endif
