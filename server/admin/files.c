#include "admin/files.h"

#include <stdlib.h>

#include "os/file.h"
#include "os/random.h"

char *files_path(const char *dir, const char *name)
{
	struct buf path;
	char *copy;

	buf_init(&path, 65536);
	path_join(&path, dir, name);
	copy = path.failed ? NULL : str_dup(buf_slice(&path));
	buf_release(&path);
	return copy;
}

enum status files_make_work(const char *data_dir, const char *what, char **ret, struct error *err)
{
	char name[64];
	char *path;
	enum status status;

	snprintf(name, sizeof name, "%s-%016llx", what, (unsigned long long)random_u64());
	path = files_path(data_dir, name);
	if (path == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	status = file_make_dir(path, FILE_PRIVATE, err);
	if (status == STATUS_OK)
		*ret = path;
	else
		free(path);
	return status;
}

/* Those of the store (store_sqlite.h); what else may be there is not ours to remove, and keeps the
 * folder. */
void files_remove_work(char *dir)
{
	static const char *const names[] = {
	    "confab.db", "confab.db-wal", "confab.db-shm", "confab.db-journal", "confab.lock"};

	if (dir == NULL)
		return;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char *path = files_path(dir, names[i]);

		if (path != NULL)
			file_remove(path, NULL);
		free(path);
	}
	file_remove_dir(dir, NULL);
	free(dir);
}
