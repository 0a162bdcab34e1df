#include "lib/connector.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/str.h"
#include "os/thread.h"

struct connector {
	struct loop *loop;
	char *host;
	uint16_t port;
	unsigned timeout_ms;
	atomic_bool cancel;
	struct thread *thread;
	/* Written by the thread before it sets `done`. */
	atomic_bool done;
	enum status status;
	socket_handle socket;
	struct error err;
};

static void attempt(void *arg)
{
	struct connector *connector = arg;
	struct socket_address peer;

	connector->status = socket_connect(connector->host, connector->port, connector->timeout_ms,
	    &connector->cancel, &connector->socket, &peer, &connector->err);
	atomic_store(&connector->done, true);
	loop_wake(connector->loop);
}

enum status connector_start(
    struct loop *loop, const char *host, uint16_t port, unsigned timeout_ms, struct connector **ret)
{
	struct connector *connector = calloc(1, sizeof *connector);

	if (connector == NULL)
		return STATUS_NOMEM;
	connector->loop = loop;
	connector->port = port;
	connector->timeout_ms = timeout_ms;
	connector->socket = SOCKET_NONE;
	connector->host = str_dup(slice_of(host));
	if (connector->host == NULL ||
	    thread_start("connect", attempt, connector, &connector->thread) != STATUS_OK) {
		free(connector->host);
		free(connector);
		return STATUS_NOMEM;
	}
	*ret = connector;
	return STATUS_OK;
}

static void release(struct connector *connector)
{
	thread_join(connector->thread);
	free(connector->host);
	free(connector);
}

enum status connector_poll(
    struct connector *connector, socket_handle *ret_socket, struct error *err)
{
	enum status status;

	if (!atomic_load(&connector->done))
		return STATUS_AGAIN;
	status = connector->status;
	if (status == STATUS_OK)
		*ret_socket = connector->socket;
	else
		*err = connector->err;
	release(connector);
	return status;
}

void connector_cancel(struct connector *connector)
{
	connector->cancel = true;
}

void connector_free(struct connector *connector)
{
	if (connector == NULL)
		return;
	connector->cancel = true;
	/* The thread is over after the join, so its socket can be looked at. */
	thread_join(connector->thread);
	connector->thread = NULL;
	if (connector->status == STATUS_OK)
		socket_close(connector->socket);
	release(connector);
}
