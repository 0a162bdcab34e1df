#include "cli/verbs.h"
int verb_completion(struct app *app, const char *const *words, size_t count)
{
	(void)app; (void)words; (void)count;
	return 0;
}
