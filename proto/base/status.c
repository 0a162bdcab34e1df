#include "base/status.h"

#include <stdarg.h>

const char *status_text(enum status status)
{
	static const char *const texts[] = {
#define X(name, text) text,
	    STATUS_LIST(X)
#undef X
	};
	return (unsigned)status < STATUS_COUNT ? texts[status] : "unknown status";
}

enum status error_set(struct error *err, enum status status, const char *format, ...)
{
	if (err != NULL) {
		va_list args;
		va_start(args, format);
		err->status = status;
		vsnprintf(err->text, sizeof err->text, format, args);
		va_end(args);
	}
	return status;
}
