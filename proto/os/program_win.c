#include "os/program.h"

#include <fcntl.h>
#include <io.h>
#include <stdlib.h>
#include <windows.h>
#include <shellapi.h>

#include "base/utf8.h"
#include "os/program_platform.h"
#include "os/wide_win.h"

static UINT console_code_page;

static void restore_console(void)
{
	SetConsoleOutputCP(console_code_page);
}

/* main's own argv is in the ANSI code page, in which most names cannot be written. */
static void utf8_arguments(int *argc, char ***argv)
{
	int count = 0;
	wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), &count);
	char **utf8 = wide != NULL ? calloc((size_t)count + 1, sizeof *utf8) : NULL;

	if (utf8 == NULL)
		abort();
	for (int i = 0; i < count; i++) {
		utf8[i] = wide_to_utf8(wide[i]);
		if (utf8[i] == NULL)
			abort();
	}
	LocalFree(wide);
	*argc = count;
	*argv = utf8;
}

void program_start(int *argc, char ***argv)
{
	utf8_arguments(argc, argv);
	for (int fd = 0; fd <= 2; fd++)
		_setmode(fd, _O_BINARY);
	/* For what libraries print by themselves; program_write does not depend on it. The code
	 * page belongs to the console and outlives us, so it is put back. */
	console_code_page = GetConsoleOutputCP();
	if (console_code_page != 0 && console_code_page != CP_UTF8 && SetConsoleOutputCP(CP_UTF8))
		atexit(restore_console);
}

static HANDLE handle_of(enum program_stream stream)
{
	static const DWORD which[] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};

	return GetStdHandle(which[stream]);
}

bool program_is_terminal(enum program_stream stream)
{
	DWORD mode;

	return GetConsoleMode(handle_of(stream), &mode) != 0;
}

void program_raise_file_limit(void)
{
}

unsigned program_columns(void)
{
	CONSOLE_SCREEN_BUFFER_INFO info;

	for (int stream = PROGRAM_STDOUT; stream <= PROGRAM_STDERR; stream++)
		if (GetConsoleScreenBufferInfo(handle_of((enum program_stream)stream), &info) &&
		    info.srWindow.Right >= info.srWindow.Left)
			return (unsigned)(info.srWindow.Right - info.srWindow.Left + 1);
	return 80;
}

static enum status status_of_last_error(void)
{
	switch (GetLastError()) {
	case ERROR_BROKEN_PIPE:
	case ERROR_NO_DATA:
	case ERROR_PIPE_NOT_CONNECTED:
		return STATUS_CLOSED;
	case ERROR_DISK_FULL:
	case ERROR_HANDLE_DISK_FULL:
		return STATUS_NO_SPACE;
	default:
		return STATUS_IO;
	}
}

/* The start of a character whose rest comes with the next call, for each console stream. */
struct cut_character {
	char bytes[4];
	size_t len;
};
static struct cut_character cut_characters[3];
static SRWLOCK console_lock = SRWLOCK_INIT;

/* Bytes at the end of `text` that begin a character and do not finish it: 0 to 3. */
static size_t unfinished(struct slice text)
{
	for (size_t back = 1; back <= 3 && back <= text.len; back++) {
		unsigned char c = (unsigned char)text.ptr[text.len - back];
		size_t need = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;

		if ((c & 0xC0) != 0x80)
			return need > back ? back : 0;
	}
	return 0;
}

static enum status write_wide(HANDLE console, struct slice text)
{
	wchar_t wide[1024];
	int count = MultiByteToWideChar(CP_UTF8, 0, text.ptr, (int)text.len, wide, 1024);
	int at = 0;

	while (at < count) {
		DWORD put = 0;

		if (!WriteConsoleW(console, wide + at, (DWORD)(count - at), &put, NULL) || put == 0)
			return status_of_last_error();
		at += (int)put;
	}
	return STATUS_OK;
}

/* Every byte of UTF-8 becomes at most one unit of UTF-16, so pieces of 1000 bytes fit write_wide.
 * Bytes that are not UTF-8 show as U+FFFD. */
static enum status write_console(HANDLE console, struct cut_character *cut, struct slice text)
{
	char piece[1000];
	enum status status = STATUS_OK;

	while (status == STATUS_OK && text.len > 0) {
		size_t len = cut->len, room = sizeof piece - len;
		size_t add = text.len < room ? text.len : room;

		memcpy(piece, cut->bytes, len);
		memcpy(piece + len, text.ptr, add);
		len += add;
		text.ptr += add;
		text.len -= add;
		cut->len = unfinished(slice_make(piece, len));
		len -= cut->len;
		memcpy(cut->bytes, piece + len, cut->len);
		status = write_wide(console, slice_make(piece, len));
	}
	return status;
}

enum status program_write(enum program_stream stream, const void *bytes, size_t len)
{
	HANDLE handle = handle_of(stream);
	const char *at = bytes;

	if (program_is_terminal(stream)) {
		enum status status;

		AcquireSRWLockExclusive(&console_lock);
		status = write_console(handle, &cut_characters[stream], slice_make(at, len));
		ReleaseSRWLockExclusive(&console_lock);
		return status;
	}
	while (len > 0) {
		DWORD put = 0;

		if (!WriteFile(handle, at, len < 1 << 30 ? (DWORD)len : 1 << 30, &put, NULL))
			return status_of_last_error();
		at += put;
		len -= put;
	}
	return STATUS_OK;
}

/* What was read from the console and did not fit the caller's buffer, in UTF-8. */
static struct {
	char bytes[1024];
	size_t at, len;
	wchar_t high; /* the first half of a surrogate pair whose second is still to be read */
} typed;

/* Line ends become those of the other systems, and Ctrl-Z at the start of a line is the end. */
static enum status fill_typed(HANDLE console)
{
	wchar_t wide[256];
	DWORD got = 0, count = 0;

	typed.at = typed.len = 0;
	if (typed.high != 0)
		wide[count++] = typed.high;
	SetLastError(0);
	if (!ReadConsoleW(console, wide + count, 250, &got, NULL))
		return STATUS_IO;
	if (got == 0)
		return GetLastError() == ERROR_OPERATION_ABORTED ? STATUS_INTERRUPTED : STATUS_OK;
	if (wide[count] == 0x1A)
		return STATUS_OK;
	got += count;
	count = 0;
	for (DWORD i = 0; i < got; i++)
		if (wide[i] != L'\r')
			wide[count++] = wide[i];
	typed.high = 0;
	if (count > 0 && wide[count - 1] >= 0xD800 && wide[count - 1] <= 0xDBFF)
		typed.high = wide[--count];
	if (count > 0)
		typed.len = (size_t)WideCharToMultiByte(
		    CP_UTF8, 0, wide, (int)count, typed.bytes, sizeof typed.bytes, NULL, NULL);
	return typed.len > 0 ? STATUS_OK : STATUS_AGAIN;
}

static enum status read_console(HANDLE console, void *to, size_t max, size_t *ret_len)
{
	enum status status = STATUS_OK;
	size_t len;

	if (typed.at == typed.len)
		do
			status = fill_typed(console);
		while (status == STATUS_AGAIN);
	if (status != STATUS_OK)
		return status;
	len = typed.len - typed.at < max ? typed.len - typed.at : max;
	memcpy(to, typed.bytes + typed.at, len);
	typed.at += len;
	*ret_len = len;
	return STATUS_OK;
}

enum status program_read(void *to, size_t max, size_t *ret_len)
{
	HANDLE handle = handle_of(PROGRAM_STDIN);
	DWORD got = 0;

	if (program_is_terminal(PROGRAM_STDIN))
		return read_console(handle, to, max, ret_len);
	if (!ReadFile(handle, to, max < 1 << 30 ? (DWORD)max : 1 << 30, &got, NULL)) {
		/* The end of a pipe is an error here and none for us. */
		if (status_of_last_error() != STATUS_CLOSED && GetLastError() != ERROR_HANDLE_EOF)
			return STATUS_IO;
		got = 0;
	}
	*ret_len = got;
	return STATUS_OK;
}

/* Windows calls this in a thread of its own. After closing, logging off and shutting down it ends
 * the process as soon as this returns, and after some 5 seconds in any case. */
static BOOL WINAPI on_console_event(DWORD event)
{
	static LONG interrupts;

	switch (event) {
	case CTRL_C_EVENT:
	case CTRL_BREAK_EVENT:
		if (InterlockedIncrement(&interrupts) > 1)
			ExitProcess(EXIT_OTHER);
		stop_request();
		return TRUE;
	case CTRL_CLOSE_EVENT:
	case CTRL_LOGOFF_EVENT:
	case CTRL_SHUTDOWN_EVENT:
		stop_request();
		stop_wait_done(4000);
		return TRUE;
	default:
		return FALSE;
	}
}

void stop_platform_install(void)
{
	SetConsoleCtrlHandler(on_console_event, TRUE);
}

void stop_platform_release(void)
{
}
