/*
 * The listeners: a thread for each listening socket that does the guide's steps (socket, bind,
 * listen, a blocking accept) and hands every established socket to the worker with the fewest
 * connections. When the process has no file descriptors left it waits and tries again, without
 * spinning.
 */
#ifndef CONFAB_SERVER_LISTENER_H
#define CONFAB_SERVER_LISTENER_H

#include "base/buf.h"
#include "throttle.h"
#include "worker.h"

struct listener;

/* Binds and listens at "host:port" texts (`count` of them); nothing is accepted yet. With
 * `may_miss` an address family that this machine does not have is logged and left out, as long as
 * one address remains. */
enum status listener_new(const char *const *addresses, unsigned count, bool may_miss,
    struct throttle *throttle, struct worker *const *workers, unsigned worker_count,
    struct listener **ret, struct error *err);

/* Starts to accept, and logs "ready on ADDRESS, ADDRESS". */
enum status listener_start(struct listener *listener, struct error *err);

/* No more connections are accepted when it returns; NULL is harmless. */
void listener_stop(struct listener *listener);
void listener_free(struct listener *listener);

#endif
