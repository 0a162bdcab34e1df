#include "net/socket.h"

#include <stdlib.h>

#include "base/str.h"
#include "net/socket_platform.h"
#include "os/clock.h"
#include "os/thread.h"

static enum status usage(struct error *err, const char *text, const char *what)
{
	return error_set(err, STATUS_USAGE,
	    "\"%.100s\" is no address: %s; write host, host:port or [IPv6]:port", text, what);
}

/* No name and no number of a host has white space or control characters in it. */
static bool is_host(struct slice host)
{
	for (size_t i = 0; i < host.len; i++) {
		unsigned char c = (unsigned char)host.ptr[i];

		if (c <= ' ' || c == 0x7F || c == '[' || c == ']')
			return false;
	}
	return host.len > 0;
}

enum status socket_split(
    const char *text, char *ret_host, size_t size, uint16_t *ret_port, struct error *err)
{
	struct slice rest = slice_of(text), host, port = {NULL, 0};
	int64_t number = *ret_port;

	if (text[0] == '[') {
		rest = slice_make(text + 1, rest.len - 1);
		host = slice_cut(&rest, ']');
		if (rest.ptr == NULL)
			return usage(err, text, "the ] is missing");
		if (rest.len > 0 && rest.ptr[0] != ':')
			return usage(err, text, "there is something between ] and the port");
		if (rest.len > 0)
			port = slice_make(rest.ptr + 1, rest.len - 1);
	} else {
		host = slice_cut(&rest, ':');
		port = rest;
		/* More than one colon without brackets: all of it is an IPv6 address. */
		if (port.ptr != NULL && memchr(port.ptr, ':', port.len) != NULL) {
			host = slice_of(text);
			port.ptr = NULL;
		}
	}
	if (!is_host(host))
		return usage(err, text, host.len == 0 ? "the host is missing" : "the host is none");
	if (host.len >= size)
		return usage(err, text, "the host is too long");
	if (port.ptr != NULL && !str_to_int(port, 0, 65535, &number))
		return usage(err, text, "the port is no number from 0 to 65535");
	str_copy(ret_host, size, host);
	*ret_port = (uint16_t)number;
	return STATUS_OK;
}

void socket_platform_set_text(struct socket_address *address)
{
	snprintf(address->text, sizeof address->text, address->is_ipv6 ? "[%.55s]:%u" : "%.57s:%u",
	    address->host, address->port);
}

uint64_t socket_platform_share(uint64_t now_ms, uint64_t end_ms, unsigned addresses_left)
{
	uint64_t left = end_ms > now_ms ? end_ms - now_ms : 0;
	uint64_t share = addresses_left > 1 ? left / addresses_left : left;

	if (share < 1000)
		share = left < 1000 ? left : 1000;
	return now_ms + share;
}

/* Belongs to both threads; the one that is done with it last frees it. */
struct run {
	struct mutex *mutex;
	struct cond *changed;
	bool is_done, is_left;
	void (*fn)(void *arg);
	void (*release)(void *arg);
	void *arg;
};

static void run_free(struct run *run)
{
	cond_free(run->changed);
	mutex_free(run->mutex);
	free(run);
}

static void run_thread(void *arg)
{
	struct run *run = arg;
	bool is_left;

	run->fn(run->arg);
	mutex_lock(run->mutex);
	run->is_done = true;
	is_left = run->is_left;
	cond_wake_all(run->changed);
	mutex_unlock(run->mutex);
	if (is_left) {
		run->release(run->arg);
		run_free(run);
	}
}

static enum status run_wait(struct run *run, uint64_t end_ms, const atomic_bool *cancel)
{
	enum status status = STATUS_OK;

	mutex_lock(run->mutex);
	while (!run->is_done && status == STATUS_OK) {
		uint64_t now = clock_mono_ms(), left = end_ms > now ? end_ms - now : 0;

		if (cancel != NULL && *cancel)
			status = STATUS_INTERRUPTED;
		else if (left == 0)
			status = STATUS_TIMEOUT;
		else
			cond_wait_ms(run->changed, run->mutex,
			    left < CANCEL_SLICE_MS ? left : CANCEL_SLICE_MS);
	}
	run->is_left = status != STATUS_OK;
	mutex_unlock(run->mutex);
	return status;
}

enum status socket_platform_run(void (*fn)(void *arg), void (*release)(void *arg), void *arg,
    uint64_t end_ms, const atomic_bool *cancel)
{
	struct run *run = calloc(1, sizeof *run);
	struct thread *thread;
	enum status status;

	if (run == NULL) {
		release(arg);
		return STATUS_NOMEM;
	}
	*run = (struct run){mutex_new(), cond_new(), false, false, fn, release, arg};
	if (thread_start("resolve", run_thread, run, &thread) != STATUS_OK) {
		run_free(run);
		release(arg);
		return STATUS_NOMEM;
	}
	status = run_wait(run, end_ms, cancel);
	if (status != STATUS_OK) {
		thread_detach(thread);
		return status;
	}
	thread_join(thread);
	run_free(run);
	return STATUS_OK;
}

enum status socket_platform_resolve_error(
    struct error *err, enum status status, const char *host, const char *reason)
{
	if (status == STATUS_INTERRUPTED)
		return error_set(err, status, "interrupted");
	return error_set(err, status, "the host \"%.200s\" cannot be resolved: %s", host, reason);
}

enum status socket_platform_listen_error(
    struct error *err, enum status status, const char *address, int code)
{
	switch (status) {
	case STATUS_ADDR_IN_USE:
		return error_set(err, status,
		    "cannot listen on %s: the address is in use; does another server run there?",
		    address);
	case STATUS_ACCESS:
		return error_set(err, status,
		    "cannot listen on %s: permission denied; ports below 1024 need a right",
		    address);
	case STATUS_IO:
		return error_set(
		    err, status, "cannot listen on %s: system error %d", address, code);
	default:
		return error_set(
		    err, status, "cannot listen on %s: %s", address, status_text(status));
	}
}

enum status socket_platform_connect_error(
    struct error *err, enum status status, const char *address, int code)
{
	switch (status) {
	case STATUS_ADDR_NOT_AVAILABLE: /* no IPv6 here, or no local port is left */
	case STATUS_ACCESS:             /* a rule of a firewall */
		return error_set(err, STATUS_UNREACHABLE, "cannot connect to %s: %s", address,
		    status_text(status));
	case STATUS_CONN_REFUSED:
		return error_set(err, status,
		    "cannot connect to %s: connection refused; does a server run there?", address);
	case STATUS_IO:
		return error_set(
		    err, status, "cannot connect to %s: system error %d", address, code);
	default:
		return error_set(
		    err, status, "cannot connect to %s: %s", address, status_text(status));
	}
}
