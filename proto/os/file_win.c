#include "os/file.h"

#include <fcntl.h>
#include <io.h>
#include <stdlib.h>
#include <uv.h>
#include <windows.h>

#include "os/file_platform.h"
#include "os/program.h"
#include "os/rights_win.h"
#include "os/wide_win.h"

const char file_platform_separator = '\\';

bool file_platform_is_separator(char c)
{
	return c == '\\' || c == '/';
}

/* C:\... or \\server\...; "C:name" and "\name" hang on what is current. */
bool file_platform_is_full(const char *path)
{
	if (file_platform_is_separator(path[0]))
		return file_platform_is_separator(path[1]);
	return path[0] != '\0' && path[1] == ':' && file_platform_is_separator(path[2]);
}

static int last_error(void)
{
	return uv_translate_sys_error((int)GetLastError());
}

/* A private file, opened for writing; a descriptor. */
static int open_private(const char *path, DWORD share, DWORD disposition)
{
	SECURITY_ATTRIBUTES how = {.nLength = sizeof how};
	wchar_t *wide = wide_of_utf8(path);
	HANDLE handle;
	int fd;

	if (wide == NULL)
		return UV_EINVAL;
	how.lpSecurityDescriptor = rights_private(RIGHTS_FILE);
	if (how.lpSecurityDescriptor == NULL) {
		free(wide);
		return last_error();
	}
	handle = CreateFileW(
	    wide, GENERIC_WRITE, share, &how, disposition, FILE_ATTRIBUTE_NORMAL, NULL);
	fd = handle == INVALID_HANDLE_VALUE ? last_error() : 0;
	LocalFree(how.lpSecurityDescriptor);
	free(wide);
	if (fd < 0)
		return fd;
	fd = _open_osfhandle((intptr_t)handle, _O_BINARY);
	if (fd < 0) {
		CloseHandle(handle);
		return UV_EMFILE;
	}
	return fd;
}

int file_platform_create_private(const char *path)
{
	return open_private(path, 0, CREATE_NEW);
}

/* Others may open the file to read the number in it, but not to write, as each who wants the lock
 * does: sharing is the lock. */
int file_platform_open_locked(const char *path)
{
	return open_private(path, FILE_SHARE_READ, OPEN_ALWAYS);
}

int file_platform_make_private_dir(const char *path)
{
	SECURITY_ATTRIBUTES how = {.nLength = sizeof how};
	wchar_t *wide = wide_of_utf8(path);
	int code = 0;

	if (wide == NULL)
		return UV_EINVAL;
	how.lpSecurityDescriptor = rights_private(RIGHTS_DIR);
	if (how.lpSecurityDescriptor == NULL || !CreateDirectoryW(wide, &how))
		code = last_error();
	LocalFree(how.lpSecurityDescriptor);
	free(wide);
	return code;
}

/* Virus scanners and indexers open a new file for a moment, and whoever reads the old one holds
 * it: both let go soon, as a rule. */
static int move_patiently(const wchar_t *from, const wchar_t *to, DWORD how)
{
	for (int tries = 0;; tries++) {
		DWORD code = MoveFileExW(from, to, how) ? 0 : GetLastError();

		if ((code != ERROR_SHARING_VIOLATION && code != ERROR_ACCESS_DENIED) || tries == 10)
			return code == 0 ? 0 : uv_translate_sys_error((int)code);
		Sleep(20);
	}
}

int file_platform_move(const char *from, const char *to, bool replace)
{
	wchar_t *wide_from = wide_of_utf8(from), *wide_to = wide_of_utf8(to);
	DWORD how = MOVEFILE_WRITE_THROUGH | (replace ? MOVEFILE_REPLACE_EXISTING : 0);
	int code = UV_EINVAL;

	if (wide_from != NULL && wide_to != NULL)
		code = move_patiently(wide_from, wide_to, how);
	free(wide_from);
	free(wide_to);
	return code;
}

/* MOVEFILE_WRITE_THROUGH has seen to it. */
int file_platform_sync_entry(const char *path)
{
	(void)path;
	return 0;
}

bool file_is_exposed(const char *path)
{
	(void)path;
	return false;
}

/* Services run in session 0, people do not. */
static bool is_service(void)
{
	DWORD session;

	return ProcessIdToSessionId(GetCurrentProcessId(), &session) && session == 0;
}

enum status path_standard(enum path_dir which, struct buf *to, struct error *err)
{
	static const char *const variables[] = {
	    [PATH_CONFIG_USER] = "APPDATA",
	    [PATH_CONFIG_SYSTEM] = "ProgramData",
	    [PATH_DATA_USER] = "LOCALAPPDATA",
	    [PATH_DATA_SYSTEM] = "ProgramData",
	    [PATH_STATE_USER] = "LOCALAPPDATA",
	};
	char *base;

	if (which == PATH_DATA_SERVER)
		which = is_service() ? PATH_DATA_SYSTEM : PATH_DATA_USER;
	base = program_env(variables[which]);

	if (base == NULL || base[0] == '\0') {
		free(base);
		return error_set(err, STATUS_NOT_FOUND, "%%%s%% is not set", variables[which]);
	}
	path_join(to, base, "Confab");
	free(base);
	return STATUS_OK;
}
