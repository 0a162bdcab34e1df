/*
 * What differs between the systems in listening and connecting: only for pipe*.c. Functions answer
 * 0 or a negative code of libuv's.
 */
#ifndef CONFAB_NET_PIPE_PLATFORM_H
#define CONFAB_NET_PIPE_PLATFORM_H

#include <uv.h>

#include "base/buf.h"
#include "base/status.h"

/* Appends the address for the folder whose full path is `dir`. */
void pipe_platform_path(const char *dir, struct buf *to);

struct pipe_acceptor;

/* Listens and calls `fn(arg)` in the loop for each connection that waits; `fn` takes it. */
enum status pipe_acceptor_new(uv_loop_t *loop, const char *path, void (*fn)(void *arg), void *arg,
    struct pipe_acceptor **ret, struct error *err);
/* Gives the connection that waits to `to`, an initialised handle; on failure it is dropped. */
int pipe_acceptor_take(struct pipe_acceptor *acceptor, uv_pipe_t *to);
/* Stops listening; the memory goes in a later turn of the loop. */
void pipe_acceptor_close(struct pipe_acceptor *acceptor);

/* Connects `to`, an initialised handle. UV_ENOENT: nobody listens; UV_EACCES, UV_ETIMEDOUT,
 * UV_ENAMETOOLONG. */
int pipe_platform_connect(uv_pipe_t *to, const char *path, unsigned timeout_ms);

#endif
