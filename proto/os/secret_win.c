#include "os/secret_platform.h"

#include <stdlib.h>
#include <windows.h>

#include "base/utf8.h"
#include "os/program.h"

struct secret_terminal {
	HANDLE in, out;
	DWORD before;
	char bytes[4]; /* of the character whose bytes are being given out */
	size_t at, len;
	unsigned again; /* how often that character is still to come: a key held down */
	wchar_t high;   /* the first half of a surrogate pair */
};

/* cmd takes everything behind /c as it stands, so /s and one pair of quotes around it keep all
 * quotes inside. */
void secret_shell(char *args[SECRET_SHELL_ARGS])
{
	static char shell[] = "cmd.exe", flags[] = "/d /s /c";

	args[0] = shell;
	args[1] = flags;
}

char *secret_shell_text(const char *command)
{
	struct buf text;
	char *copy;

	buf_init(&text, 65536);
	buf_put_fmt(&text, "\"%s\"", command);
	copy = text.failed ? NULL : str_dup(buf_slice(&text));
	buf_release(&text);
	return copy;
}

static HANDLE open_console(const wchar_t *name)
{
	return CreateFileW(name, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE,
	    NULL, OPEN_EXISTING, 0, NULL);
}

/* Without processed input Ctrl-C comes as a character, so no way out leaves the mode behind. */
enum status secret_terminal_open(struct secret_terminal **ret)
{
	const DWORD off = ENABLE_ECHO_INPUT | ENABLE_LINE_INPUT | ENABLE_PROCESSED_INPUT;
	struct secret_terminal *terminal = calloc(1, sizeof *terminal);

	if (terminal == NULL)
		return STATUS_NOMEM;
	terminal->in = open_console(L"CONIN$");
	terminal->out = open_console(L"CONOUT$");
	if (terminal->in == INVALID_HANDLE_VALUE || terminal->out == INVALID_HANDLE_VALUE ||
	    !GetConsoleMode(terminal->in, &terminal->before) ||
	    !SetConsoleMode(terminal->in, terminal->before & ~off)) {
		if (terminal->in != INVALID_HANDLE_VALUE)
			CloseHandle(terminal->in);
		if (terminal->out != INVALID_HANDLE_VALUE)
			CloseHandle(terminal->out);
		free(terminal);
		return STATUS_NOT_FOUND;
	}
	FlushConsoleInputBuffer(terminal->in);
	*ret = terminal;
	return STATUS_OK;
}

/* What was typed too much goes, too: it may be a part of the secret. */
void secret_terminal_close(struct secret_terminal *terminal)
{
	FlushConsoleInputBuffer(terminal->in);
	SetConsoleMode(terminal->in, terminal->before);
	CloseHandle(terminal->in);
	CloseHandle(terminal->out);
	secret_wipe(terminal, sizeof *terminal);
	free(terminal);
}

void secret_terminal_say(struct secret_terminal *terminal, const char *text)
{
	wchar_t wide[512];
	DWORD put;
	int count = MultiByteToWideChar(CP_UTF8, 0, text, (int)strlen(text), wide, 512);

	if (count > 0)
		WriteConsoleW(terminal->out, wide, (DWORD)count, &put, NULL);
}

/* Characters come with keys going down, and composed ones (Alt and digits) with Alt going up. */
static wchar_t character_of(const INPUT_RECORD *record)
{
	const KEY_EVENT_RECORD *key = &record->Event.KeyEvent;

	if (record->EventType != KEY_EVENT)
		return 0;
	return key->bKeyDown || key->wVirtualKeyCode == VK_MENU ? key->uChar.UnicodeChar : 0;
}

static void take_character(struct secret_terminal *terminal, wchar_t c, unsigned count)
{
	uint32_t code_point = c;

	if (c >= 0xD800 && c <= 0xDBFF) {
		terminal->high = c;
		return;
	}
	if (c >= 0xDC00 && c <= 0xDFFF)
		code_point = terminal->high == 0 ? 0xFFFD
		                                 : 0x10000 + ((uint32_t)(terminal->high - 0xD800) << 10) +
		                                       (uint32_t)(c - 0xDC00);
	terminal->high = 0;
	terminal->at = 0;
	terminal->len = utf8_put(code_point, terminal->bytes);
	terminal->again = count > 0 ? count - 1 : 0;
}

static enum status wait_for_character(struct secret_terminal *terminal)
{
	INPUT_RECORD record;
	DWORD got;
	wchar_t c;

	while (terminal->at == terminal->len) {
		if (terminal->again > 0 && terminal->len > 0) {
			terminal->again--;
			terminal->at = 0;
			break;
		}
		if (stop_requested())
			return STATUS_INTERRUPTED;
		if (WaitForSingleObject(terminal->in, SECRET_POLL_MS) == WAIT_TIMEOUT)
			continue;
		if (!ReadConsoleInputW(terminal->in, &record, 1, &got) || got != 1)
			return STATUS_EOF;
		c = character_of(&record);
		if (c != 0)
			take_character(terminal, c, record.Event.KeyEvent.wRepeatCount);
		secret_wipe(&record, sizeof record);
	}
	return STATUS_OK;
}

enum status secret_terminal_read(struct secret_terminal *terminal, unsigned char *ret)
{
	enum status status = wait_for_character(terminal);

	if (status == STATUS_OK)
		*ret = (unsigned char)terminal->bytes[terminal->at++];
	return status;
}
