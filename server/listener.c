#include "listener.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "os/clock.h"
#include "os/log.h"
#include "os/thread.h"
#include "wire/tables.h"

#define EXHAUSTED_MS 200 /* pause when there are no file descriptors */
#define LOG_EVERY_MS 10000

struct entrance {
	struct listener *listener;
	struct thread *thread;
	socket_handle socket;
	struct socket_address address;
};

struct listener {
	struct throttle *throttle;
	struct worker *const *workers;
	unsigned worker_count;
	atomic_bool stop;
	unsigned count;
	struct entrance entrances[];
};

/* The one with the fewest connections. */
static struct worker *choose(const struct listener *listener)
{
	struct worker *best = listener->workers[0];

	for (unsigned i = 1; i < listener->worker_count; i++)
		if (worker_load(listener->workers[i]) < worker_load(best))
			best = listener->workers[i];
	return best;
}

/* For lines that a hostile peer could otherwise repeat without end. */
static bool is_due(uint64_t *last_ms)
{
	uint64_t now_ms = clock_mono_ms();

	if (*last_ms != 0 && now_ms - *last_ms < LOG_EVERY_MS)
		return false;
	*last_ms = now_ms;
	return true;
}

static void hand_over(struct listener *listener, socket_handle socket,
    const struct socket_address *peer, uint64_t *last_log_ms)
{
	enum throttle_answer answer = throttle_enter(listener->throttle, peer);
	struct mailbox_socket *mail;

	if (answer != THROTTLE_OK) {
		if (is_due(last_log_ms))
			log_warn("listener", "%s: refused: %s", peer->host,
			    answer == THROTTLE_ADDRESS
				? "too many connections of this address (per_address)"
				: "too many connections in all (max_connections)");
		socket_close(socket);
		return;
	}
	mail = malloc(sizeof *mail);
	if (mail == NULL) {
		throttle_leave(listener->throttle, peer);
		socket_close(socket);
		return;
	}
	mail->socket = socket;
	mail->peer = *peer;
	worker_put_socket(choose(listener), mail);
}

static void accept_loop(void *arg)
{
	struct entrance *entrance = arg;
	struct listener *listener = entrance->listener;
	uint64_t exhausted_log_ms = 0, refused_log_ms = 0;

	while (!atomic_load(&listener->stop)) {
		struct socket_address peer;
		socket_handle socket;
		enum status status = socket_accept(entrance->socket, &socket, &peer);

		switch (status) {
		case STATUS_OK:
			hand_over(listener, socket, &peer, &refused_log_ms);
			break;
		case STATUS_CLOSED:
			return;
		case STATUS_AGAIN:
			break;
		default:
			if (is_due(&exhausted_log_ms))
				log_error("listener",
				    "cannot accept connections on %s: %s; trying again",
				    entrance->address.text, status_text(status));
			clock_sleep_ms(EXHAUSTED_MS);
		}
	}
}

static enum status open_entrance(struct listener *listener, const char *text, struct error *err)
{
	struct entrance *entrance = &listener->entrances[listener->count];
	char host[256];
	uint16_t port = PROTO_PORT;
	enum status status = socket_split(text, host, sizeof host, &port, err);

	if (status == STATUS_OK)
		status = socket_listen(host, port, &entrance->socket, &entrance->address, err);
	if (status == STATUS_OK) {
		entrance->listener = listener;
		listener->count++;
	}
	return status;
}

enum status listener_new(const char *const *addresses, unsigned count, bool may_miss,
    struct throttle *throttle, struct worker *const *workers, unsigned worker_count,
    struct listener **ret, struct error *err)
{
	struct listener *listener =
	    calloc(1, sizeof *listener + count * sizeof listener->entrances[0]);
	enum status status = STATUS_OK;

	if (listener == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	listener->throttle = throttle;
	listener->workers = workers;
	listener->worker_count = worker_count;
	atomic_init(&listener->stop, false);
	for (unsigned i = 0; i < count; i++) {
		status = open_entrance(listener, addresses[i], err);
		if (status == STATUS_ADDR_NOT_AVAILABLE && may_miss) {
			log_info("listener", "not listening on %s: %s", addresses[i], err->text);
			if (listener->count > 0 || i + 1 < count)
				status = STATUS_OK;
		}
		if (status != STATUS_OK)
			break;
	}
	if (status != STATUS_OK) {
		listener_free(listener);
		return status;
	}
	*ret = listener;
	return STATUS_OK;
}

enum status listener_start(struct listener *listener, struct error *err)
{
	struct buf text;

	buf_init(&text, 4096);
	for (unsigned i = 0; i < listener->count; i++) {
		struct entrance *entrance = &listener->entrances[i];

		if (thread_start("listener", accept_loop, entrance, &entrance->thread) !=
		    STATUS_OK) {
			buf_release(&text);
			return error_set(err, STATUS_NOMEM, "cannot start a listener's thread");
		}
		buf_put_fmt(&text, "%s%s", i > 0 ? ", " : "", entrance->address.text);
	}
	log_info("listener", "ready on %s", buf_text(&text));
	buf_release(&text);
	return STATUS_OK;
}

void listener_stop(struct listener *listener)
{
	if (listener == NULL)
		return;
	atomic_store(&listener->stop, true);
	for (unsigned i = 0; i < listener->count; i++)
		socket_listen_stop(listener->entrances[i].socket);
	for (unsigned i = 0; i < listener->count; i++) {
		thread_join(listener->entrances[i].thread);
		listener->entrances[i].thread = NULL;
	}
}

void listener_free(struct listener *listener)
{
	if (listener == NULL)
		return;
	for (unsigned i = 0; i < listener->count; i++)
		socket_close(listener->entrances[i].socket);
	free(listener);
}
