#include "fault_vfs.h"

#include <sqlite3.h>
#include <stdatomic.h>

#include "tests/unit/unit.h"

struct fault_file {
	sqlite3_file base;
	sqlite3_file *real; /* behind this struct */
};

static sqlite3_vfs *real_vfs, own_vfs;
static atomic_int fault_code, fault_after;

void fault_vfs_set(int code, int after)
{
	atomic_store(&fault_after, after);
	atomic_store(&fault_code, code);
}

static int next_fault(void)
{
	int code = atomic_load(&fault_code);

	if (code == 0 || atomic_fetch_sub(&fault_after, 1) > 0)
		return 0;
	return code;
}

static sqlite3_file *real_of(sqlite3_file *file)
{
	return ((struct fault_file *)file)->real;
}

static int fault_close(sqlite3_file *file)
{
	return real_of(file)->pMethods->xClose(real_of(file));
}

static int fault_read(sqlite3_file *file, void *to, int len, sqlite3_int64 at)
{
	return real_of(file)->pMethods->xRead(real_of(file), to, len, at);
}

static int fault_write(sqlite3_file *file, const void *from, int len, sqlite3_int64 at)
{
	int code = next_fault();

	return code != 0 ? code : real_of(file)->pMethods->xWrite(real_of(file), from, len, at);
}

static int fault_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int fault_sync(sqlite3_file *file, int flags)
{
	int code = next_fault();

	return code != 0 ? code : real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int fault_size(sqlite3_file *file, sqlite3_int64 *ret)
{
	return real_of(file)->pMethods->xFileSize(real_of(file), ret);
}

static int fault_lock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int fault_unlock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int fault_check_lock(sqlite3_file *file, int *ret)
{
	return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret);
}

static int fault_control(sqlite3_file *file, int op, void *arg)
{
	return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int fault_sector(sqlite3_file *file)
{
	return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int fault_traits(sqlite3_file *file)
{
	return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int fault_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **ret)
{
	return real_of(file)->pMethods->xShmMap(real_of(file), region, size, extend, ret);
}

static int fault_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
	return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void fault_shm_barrier(sqlite3_file *file)
{
	real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int fault_shm_unmap(sqlite3_file *file, int remove)
{
	return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

static int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret)
{
	static const sqlite3_io_methods methods = {
	    .iVersion = 2,
	    .xClose = fault_close,
	    .xRead = fault_read,
	    .xWrite = fault_write,
	    .xTruncate = fault_truncate,
	    .xSync = fault_sync,
	    .xFileSize = fault_size,
	    .xLock = fault_lock,
	    .xUnlock = fault_unlock,
	    .xCheckReservedLock = fault_check_lock,
	    .xFileControl = fault_control,
	    .xSectorSize = fault_sector,
	    .xDeviceCharacteristics = fault_traits,
	    .xShmMap = fault_shm_map,
	    .xShmLock = fault_shm_lock,
	    .xShmBarrier = fault_shm_barrier,
	    .xShmUnmap = fault_shm_unmap,
	};
	struct fault_file *own = (struct fault_file *)file;
	int code;

	(void)vfs;
	own->real = (sqlite3_file *)(own + 1);
	code = real_vfs->xOpen(real_vfs, name, own->real, flags, ret);
	own->base.pMethods = own->real->pMethods != NULL ? &methods : NULL;
	return code;
}

void fault_vfs_install(void)
{
	real_vfs = sqlite3_vfs_find(NULL);
	CHECK(real_vfs != NULL);
	own_vfs = *real_vfs;
	own_vfs.zName = "fault";
	own_vfs.szOsFile = (int)sizeof(struct fault_file) + real_vfs->szOsFile;
	own_vfs.xOpen = fault_open;
	CHECK_INT(sqlite3_vfs_register(&own_vfs, 1), SQLITE_OK);
}
