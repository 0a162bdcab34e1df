#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"
#include "net/socket_platform.h"
#include "os/clock.h"

static enum status status_of(int code)
{
	switch (code) {
	case 0:
		return STATUS_OK;
	case EAGAIN:
	case EINPROGRESS:
		return STATUS_AGAIN;
	case ECONNREFUSED:
		return STATUS_CONN_REFUSED;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EHOSTDOWN:
		return STATUS_UNREACHABLE;
	case ETIMEDOUT:
		return STATUS_TIMEOUT;
	case ECONNRESET:
	case ECONNABORTED:
	case EPIPE:
		return STATUS_RESET;
	case EADDRINUSE:
		return STATUS_ADDR_IN_USE;
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
		return STATUS_ADDR_NOT_AVAILABLE;
	case EACCES:
	case EPERM:
		return STATUS_ACCESS;
	case EMFILE:
	case ENFILE:
		return STATUS_NO_FILES;
	case ENOBUFS:
	case ENOMEM:
		return STATUS_NOMEM;
	case EBADF:
	case ENOTCONN:
	case ENOTSOCK:
		return STATUS_CLOSED;
	default:
		return STATUS_IO;
	}
}

/* Initialise: only Winsock wants that. */
enum status socket_startup(struct error *err)
{
	(void)err;
	return STATUS_OK;
}

void socket_cleanup(void)
{
}

static int look_up(const char *host, uint16_t port, int flags, struct addrinfo **ret_list)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	    .ai_protocol = IPPROTO_TCP,
	    .ai_flags = flags | AI_NUMERICSERV};
	char service[8];

	snprintf(service, sizeof service, "%u", port);
	return getaddrinfo(host, service, &hints, ret_list);
}

static const char *look_up_text(int code)
{
	return gai_strerror(code);
}

/* A look-up in a thread of its own. */
struct query {
	char host[256]; /* a name in the DNS has at most 253 bytes */
	uint16_t port;
	struct addrinfo *list;
	int code;
};

static void query_run(void *arg)
{
	struct query *query = arg;

	query->code = look_up(query->host, query->port, 0, &query->list);
}

static void query_free(void *arg)
{
	struct query *query = arg;

	if (query->list != NULL)
		freeaddrinfo(query->list);
	free(query);
}

/* A number is an address at once; a name may take the name service many seconds. */
static enum status resolve(const char *host, uint16_t port, uint64_t end_ms,
    const atomic_bool *cancel, struct addrinfo **ret_list, struct error *err)
{
	struct query *query;
	enum status status;

	if (look_up(host, port, AI_NUMERICHOST, ret_list) == 0)
		return STATUS_OK;
	query = calloc(1, sizeof *query);
	if (query == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	query->port = port;
	if (!str_copy(query->host, sizeof query->host, slice_of(host))) {
		query_free(query);
		return socket_platform_resolve_error(err, STATUS_RESOLVE, host, "it is too long");
	}
	status = socket_platform_run(query_run, query_free, query, end_ms, cancel);
	if (status != STATUS_OK)
		return socket_platform_resolve_error(err, status, host, status_text(status));
	if (query->code != 0) {
		status = socket_platform_resolve_error(
		    err, STATUS_RESOLVE, host, look_up_text(query->code));
	} else {
		*ret_list = query->list;
		query->list = NULL;
	}
	query_free(query);
	return status;
}

static void set_address(struct socket_address *to, const struct sockaddr *from, socklen_t len)
{
	*to = (struct socket_address){.is_ipv6 = from->sa_family == AF_INET6};
	if (getnameinfo(from, len, to->host, sizeof to->host, NULL, 0, NI_NUMERICHOST) != 0)
		to->host[0] = '\0';
	if (to->is_ipv6) {
		struct sockaddr_in6 v6;

		memcpy(&v6, from, sizeof v6);
		memcpy(to->bytes, &v6.sin6_addr, 16);
		to->port = ntohs(v6.sin6_port);
	} else {
		struct sockaddr_in v4;

		memcpy(&v4, from, sizeof v4);
		memcpy(to->bytes, &v4.sin_addr, 4);
		to->port = ntohs(v4.sin_port);
	}
	socket_platform_set_text(to);
}

static void set_option(int fd, int level, int name, int value)
{
	/* None of them is worth failing for. */
	(void)setsockopt(fd, level, name, &value, sizeof value);
}

/* What every established connection gets, whoever began it. */
static void prepare(int fd)
{
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
}

/* Create: blocking or not, and never inherited by a child process. */
static int create(const struct addrinfo *address, int flags)
{
	return socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | flags, IPPROTO_TCP);
}

/* Create, bind, listen; -1 with the reason in errno. */
static int listen_at(const struct addrinfo *address)
{
	int fd = create(address, 0), code;

	if (fd < 0)
		return -1;
	/* A restarted server gets its port although connections of the old one linger. */
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	/* IPv4 has a socket of its own: both kinds then work in the same way on every system. */
	if (address->ai_family == AF_INET6)
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	code = errno;
	close(fd);
	errno = code;
	return -1;
}

enum status socket_listen(const char *host, uint16_t port, socket_handle *ret_socket,
    struct socket_address *ret_address, struct error *err)
{
	struct addrinfo *list;
	struct socket_address wanted;
	struct sockaddr_storage bound;
	socklen_t len = sizeof bound;
	int code = look_up(host, port, AI_PASSIVE, &list);
	int fd;

	if (code != 0)
		return socket_platform_resolve_error(err, STATUS_RESOLVE, host, look_up_text(code));
	set_address(&wanted, list->ai_addr, list->ai_addrlen);
	fd = listen_at(list);
	code = errno;
	freeaddrinfo(list);
	if (fd < 0)
		return socket_platform_listen_error(err, status_of(code), wanted.text, code);
	/* Port 0 has become a real one. */
	if (getsockname(fd, (struct sockaddr *)&bound, &len) == 0)
		set_address(&wanted, (struct sockaddr *)&bound, len);
	*ret_address = wanted;
	*ret_socket = (socket_handle)fd;
	return STATUS_OK;
}

enum status socket_accept(
    socket_handle listener, socket_handle *ret_socket, struct socket_address *ret_peer)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof peer;
	int fd =
	    accept4((int)listener, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		switch (errno) {
		case EINVAL: /* no longer listening: shutdown, below */
		case EBADF:
		case ENOTSOCK:
			return STATUS_CLOSED;
		case EMFILE:
		case ENFILE:
			return STATUS_NO_FILES;
		case ENOBUFS:
		case ENOMEM:
			return STATUS_NOMEM;
		default:
			/* Linux hands a new connection's own error over here: only that one is
			 * lost. */
			return STATUS_AGAIN;
		}
	}
	prepare(fd);
	set_address(ret_peer, (struct sockaddr *)&peer, len);
	*ret_socket = (socket_handle)fd;
	return STATUS_OK;
}

/* Ends listening and wakes a blocked accept, and leaves the descriptor's number taken: closing it
 * here could make the accepting thread use a number that means something else by then. */
void socket_listen_stop(socket_handle listener)
{
	shutdown((int)listener, SHUT_RDWR);
}

/* Waits for a connection that is being made; its outcome as a code, ETIMEDOUT, or ECANCELED. */
static int wait_connected(int fd, uint64_t end_ms, const atomic_bool *cancel)
{
	for (;;) {
		uint64_t now = clock_mono_ms();
		struct pollfd waiting = {.fd = fd, .events = POLLOUT};
		int ready, code = 0;
		socklen_t len = sizeof code;

		if (cancel != NULL && *cancel)
			return ECANCELED;
		if (now >= end_ms)
			return ETIMEDOUT;
		ready = poll(&waiting, 1,
		    end_ms - now < CANCEL_SLICE_MS ? (int)(end_ms - now) : CANCEL_SLICE_MS);
		if (ready < 0 && errno != EINTR)
			return errno;
		if (ready > 0)
			return getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) == 0 ? code
			                                                              : errno;
	}
}

/* Create, connect; the code of the failure, or 0 and *ret_fd. */
static int connect_to(
    const struct addrinfo *address, uint64_t end_ms, const atomic_bool *cancel, int *ret_fd)
{
	int fd = create(address, SOCK_NONBLOCK), code = 0;

	if (fd < 0)
		return errno;
	if (connect(fd, address->ai_addr, address->ai_addrlen) != 0)
		code = errno;
	if (code == EINPROGRESS)
		code = wait_connected(fd, end_ms, cancel);
	if (code != 0) {
		close(fd);
		return code;
	}
	prepare(fd);
	*ret_fd = fd;
	return 0;
}

enum status socket_connect(const char *host, uint16_t port, unsigned timeout_ms,
    const atomic_bool *cancel, socket_handle *ret_socket, struct socket_address *ret_peer,
    struct error *err)
{
	uint64_t end = clock_mono_ms() + timeout_ms;
	struct addrinfo *list;
	enum status status = resolve(host, port, end, cancel, &list, err);
	unsigned left = 0;
	int fd = -1;

	if (status != STATUS_OK)
		return status;
	for (const struct addrinfo *at = list; at != NULL; at = at->ai_next)
		left++;
	status = STATUS_UNREACHABLE;
	for (const struct addrinfo *at = list; at != NULL; at = at->ai_next, left--) {
		uint64_t now = clock_mono_ms();
		struct socket_address address;
		int code = connect_to(at, socket_platform_share(now, end, left), cancel, &fd);

		set_address(&address, at->ai_addr, at->ai_addrlen);
		if (code == 0) {
			*ret_peer = address;
			*ret_socket = (socket_handle)fd;
			status = STATUS_OK;
			break;
		}
		if (code == ECANCELED) {
			status = error_set(err, STATUS_INTERRUPTED, "interrupted");
			break;
		}
		/* A network that is not there says less than an answer, or silence, from another.
		 */
		if (status == STATUS_UNREACHABLE)
			status =
			    socket_platform_connect_error(err, status_of(code), address.text, code);
	}
	freeaddrinfo(list);
	return status;
}

enum status socket_send(socket_handle handle, const void *bytes, size_t len, size_t *ret_sent)
{
	ssize_t sent;

	do
		sent = send((int)handle, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return status_of(errno);
	*ret_sent = (size_t)sent;
	return STATUS_OK;
}

enum status socket_receive(socket_handle handle, void *to, size_t max, size_t *ret_received)
{
	ssize_t got;

	do
		got = recv((int)handle, to, max, MSG_DONTWAIT);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return status_of(errno);
	if (got == 0)
		return STATUS_EOF;
	*ret_received = (size_t)got;
	return STATUS_OK;
}

void socket_shutdown_send(socket_handle handle)
{
	shutdown((int)handle, SHUT_WR);
}

void socket_close(socket_handle handle)
{
	if (handle != SOCKET_NONE)
		close((int)handle);
}
