#include "os/random.h"

#include <stdlib.h>
#include <uv.h>

#include "os/log.h"

void random_bytes(void *to, size_t len)
{
	/* Without a callback the call is synchronous; it asks the system each time. */
	int code = uv_random(NULL, NULL, to, len, 0, NULL);

	if (code != 0) {
		log_error("random", "the system gives no random numbers: %s", uv_strerror(code));
		abort();
	}
}
