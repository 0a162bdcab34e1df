#include "os/secret_platform.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "os/program.h"

struct secret_terminal {
	int fd;
	struct termios before;
};

void secret_shell(char *args[SECRET_SHELL_ARGS])
{
	static char shell[] = "/bin/sh", flag[] = "-c";

	args[0] = shell;
	args[1] = flag;
}

char *secret_shell_text(const char *command)
{
	return str_dup(slice_of(command));
}

/* Signals of keys are off, too: Ctrl-C comes as a character, so no way out leaves the mode behind. */
enum status secret_terminal_open(struct secret_terminal **ret)
{
	struct secret_terminal *terminal = calloc(1, sizeof *terminal);
	struct termios mode;

	if (terminal == NULL)
		return STATUS_NOMEM;
	terminal->fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal->fd < 0 || tcgetattr(terminal->fd, &terminal->before) != 0)
		goto fail;
	mode = terminal->before;
	mode.c_lflag &= (tcflag_t) ~(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
	mode.c_cc[VMIN] = 1;
	mode.c_cc[VTIME] = 0;
	if (tcsetattr(terminal->fd, TCSAFLUSH, &mode) != 0)
		goto fail;
	*ret = terminal;
	return STATUS_OK;

fail:
	if (terminal->fd >= 0)
		close(terminal->fd);
	free(terminal);
	return STATUS_NOT_FOUND;
}

/* What was typed too much goes, too: it may be a part of the secret. */
void secret_terminal_close(struct secret_terminal *terminal)
{
	tcsetattr(terminal->fd, TCSAFLUSH, &terminal->before);
	close(terminal->fd);
	free(terminal);
}

void secret_terminal_say(struct secret_terminal *terminal, const char *text)
{
	size_t len = strlen(text);

	while (len > 0) {
		ssize_t put = write(terminal->fd, text, len);

		if (put < 0 && errno != EINTR)
			return;
		if (put > 0) {
			text += put;
			len -= (size_t)put;
		}
	}
}

/* The person's own keys for these; a key that is switched off (_POSIX_VDISABLE) is a NUL here. */
static unsigned char key_of(const struct termios *mode, unsigned char c)
{
	static const struct {
		int which;
		unsigned char key;
	} keys[] = {
	    {VINTR, SECRET_KEY_INTERRUPT},
	    {VQUIT, SECRET_KEY_INTERRUPT},
	    {VEOF, SECRET_KEY_END},
	    {VKILL, SECRET_KEY_KILL},
	    {VERASE, SECRET_KEY_ERASE},
	};

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (c != 0 && mode->c_cc[keys[i].which] == c)
			return keys[i].key;
	return c;
}

enum status secret_terminal_read(struct secret_terminal *terminal, unsigned char *ret)
{
	struct pollfd ready = {.fd = terminal->fd, .events = POLLIN};
	unsigned char c;
	ssize_t got;

	for (;;) {
		if (stop_requested())
			return STATUS_INTERRUPTED;
		if (poll(&ready, 1, SECRET_POLL_MS) <= 0)
			continue;
		got = read(terminal->fd, &c, 1);
		if (got == 1)
			break;
		if (got == 0 || (errno != EINTR && errno != EAGAIN))
			return STATUS_EOF;
	}
	*ret = key_of(&terminal->before, c);
	return STATUS_OK;
}
