#include "net/socket.h"

#include <limits.h>
#include <stdlib.h>
#include <winsock2.h>
#include <ws2tcpip.h>
#include <mstcpip.h>

#include "base/str.h"
#include "net/socket_platform.h"
#include "os/clock.h"
#include "os/wide_win.h"

static enum status status_of(int code)
{
	switch (code) {
	case 0:
		return STATUS_OK;
	case WSAEWOULDBLOCK:
	case WSAEINPROGRESS:
		return STATUS_AGAIN;
	case WSAECONNREFUSED:
		return STATUS_CONN_REFUSED;
	case WSAENETUNREACH:
	case WSAEHOSTUNREACH:
	case WSAENETDOWN:
	case WSAEHOSTDOWN:
		return STATUS_UNREACHABLE;
	case WSAETIMEDOUT:
		return STATUS_TIMEOUT;
	case WSAECONNRESET:
	case WSAECONNABORTED:
	case WSAENETRESET:
	case WSAESHUTDOWN:
		return STATUS_RESET;
	case WSAEADDRINUSE:
		return STATUS_ADDR_IN_USE;
	case WSAEADDRNOTAVAIL:
	case WSAEAFNOSUPPORT:
		return STATUS_ADDR_NOT_AVAILABLE;
	case WSAEACCES:
		return STATUS_ACCESS;
	case WSAEMFILE:
		return STATUS_NO_FILES;
	case WSAENOBUFS:
	case WSA_NOT_ENOUGH_MEMORY:
		return STATUS_NOMEM;
	case WSAEBADF:
	case WSAENOTCONN:
	case WSAENOTSOCK:
		return STATUS_CLOSED;
	default:
		return STATUS_IO;
	}
}

/* Initialise: Winsock 2.2, the last there is and will be. */
enum status socket_startup(struct error *err)
{
	WSADATA data;
	int code = WSAStartup(MAKEWORD(2, 2), &data);

	if (code != 0)
		return error_set(
		    err, STATUS_IO, "Winsock cannot be started: system error %d", code);
	if (data.wVersion == MAKEWORD(2, 2))
		return STATUS_OK;
	WSACleanup();
	return error_set(err, STATUS_IO, "this Windows has no Winsock 2.2");
}

void socket_cleanup(void)
{
	WSACleanup();
}

/* The wide call: the narrow one takes names in the ANSI code page. */
static int look_up(const char *host, uint16_t port, int flags, ADDRINFOW **ret_list)
{
	ADDRINFOW hints = {.ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	    .ai_protocol = IPPROTO_TCP,
	    .ai_flags = flags | AI_NUMERICSERV};
	wchar_t *wide = wide_of_utf8(host), service[8];
	int code = WSAHOST_NOT_FOUND;

	_snwprintf(service, 8, L"%u", port);
	if (wide != NULL)
		code = GetAddrInfoW(wide, service, &hints, ret_list);
	free(wide);
	return code;
}

static const char *look_up_text(int code)
{
	return code == WSAHOST_NOT_FOUND ? "no such host" : "the name service gave no answer";
}

/* A look-up in a thread of its own. */
struct query {
	char host[256]; /* a name in the DNS has at most 253 bytes */
	uint16_t port;
	ADDRINFOW *list;
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
		FreeAddrInfoW(query->list);
	free(query);
}

/* A number is an address at once; a name may take the name service many seconds. */
static enum status resolve(const char *host, uint16_t port, uint64_t end_ms,
    const atomic_bool *cancel, ADDRINFOW **ret_list, struct error *err)
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

static void set_address(struct socket_address *to, const struct sockaddr *from, int len)
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

static void set_option(SOCKET s, int level, int name, int value)
{
	/* None of them is worth failing for. */
	(void)setsockopt(s, level, name, (const char *)&value, sizeof value);
}

static void set_nonblocking(SOCKET s)
{
	u_long on = 1;

	ioctlsocket(s, FIONBIO, &on);
}

/* What every established connection gets, whoever began it. */
static void prepare(SOCKET s)
{
	struct tcp_keepalive times = {1, KEEPALIVE_IDLE_S * 1000, KEEPALIVE_INTERVAL_S * 1000};
	DWORD len;

	set_option(s, IPPROTO_TCP, TCP_NODELAY, 1);
	/* Switches keep-alive on, too. */
	WSAIoctl(s, SIO_KEEPALIVE_VALS, &times, sizeof times, NULL, 0, &len, NULL, NULL);
#ifdef TCP_KEEPCNT
	set_option(s, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
#endif
}

/* Create: with overlapped input and output, which the loop needs, and never inherited by a child
 * process. */
static SOCKET create(const ADDRINFOW *address)
{
	return WSASocketW(address->ai_family, SOCK_STREAM, IPPROTO_TCP, NULL, 0,
	    WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
}

/*
 * Winsock has no call that wakes a blocked accept but closing the socket, after which its number
 * may at once mean another one to the thread that was about to accept. So listening sockets have
 * two events: one that Winsock sets when a connection waits, one that socket_listen_stop sets.
 */
struct listener {
	SOCKET socket;
	WSAEVENT incoming, stop;
	struct listener *next;
};
static struct listener *listeners;
static SRWLOCK listeners_lock = SRWLOCK_INIT;

static struct listener *find_listener(SOCKET s)
{
	struct listener *at;

	AcquireSRWLockShared(&listeners_lock);
	for (at = listeners; at != NULL && at->socket != s; at = at->next)
		;
	ReleaseSRWLockShared(&listeners_lock);
	return at;
}

/* Also makes the socket non-blocking: that is how WSAEventSelect works. */
static bool add_listener(SOCKET s)
{
	struct listener *listener = calloc(1, sizeof *listener);

	if (listener == NULL) {
		WSASetLastError(WSA_NOT_ENOUGH_MEMORY);
		return false;
	}
	listener->socket = s;
	listener->incoming = WSACreateEvent();
	listener->stop = WSACreateEvent();
	if (listener->incoming == WSA_INVALID_EVENT || listener->stop == WSA_INVALID_EVENT ||
	    WSAEventSelect(s, listener->incoming, FD_ACCEPT) != 0) {
		WSACloseEvent(listener->incoming);
		WSACloseEvent(listener->stop);
		free(listener);
		return false;
	}
	AcquireSRWLockExclusive(&listeners_lock);
	listener->next = listeners;
	listeners = listener;
	ReleaseSRWLockExclusive(&listeners_lock);
	return true;
}

static void remove_listener(SOCKET s)
{
	struct listener **link, *found;

	AcquireSRWLockExclusive(&listeners_lock);
	for (link = &listeners; *link != NULL && (*link)->socket != s; link = &(*link)->next)
		;
	found = *link;
	if (found != NULL)
		*link = found->next;
	ReleaseSRWLockExclusive(&listeners_lock);
	if (found == NULL)
		return;
	WSACloseEvent(found->incoming);
	WSACloseEvent(found->stop);
	free(found);
}

/* Create, bind, listen; INVALID_SOCKET with the reason in WSAGetLastError. */
static SOCKET listen_at(const ADDRINFOW *address)
{
	SOCKET s = create(address);
	int code;

	if (s == INVALID_SOCKET)
		return INVALID_SOCKET;
	/* Without it another program could bind the same port and take our connections. Those of
	 * an earlier server that linger in TIME_WAIT do not hinder us here. */
	set_option(s, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1);
	/* IPv4 has a socket of its own: both kinds then work in the same way on every system. */
	if (address->ai_family == AF_INET6)
		set_option(s, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (bind(s, address->ai_addr, (int)address->ai_addrlen) == 0 && listen(s, SOMAXCONN) == 0 &&
	    add_listener(s))
		return s;
	code = WSAGetLastError();
	closesocket(s);
	WSASetLastError(code);
	return INVALID_SOCKET;
}

enum status socket_listen(const char *host, uint16_t port, socket_handle *ret_socket,
    struct socket_address *ret_address, struct error *err)
{
	ADDRINFOW *list;
	struct socket_address wanted;
	struct sockaddr_storage bound;
	int len = sizeof bound;
	int code = look_up(host, port, AI_PASSIVE, &list);
	SOCKET s;

	if (code != 0)
		return socket_platform_resolve_error(err, STATUS_RESOLVE, host, look_up_text(code));
	set_address(&wanted, list->ai_addr, (int)list->ai_addrlen);
	s = listen_at(list);
	code = WSAGetLastError();
	FreeAddrInfoW(list);
	if (s == INVALID_SOCKET)
		return socket_platform_listen_error(err, status_of(code), wanted.text, code);
	/* Port 0 has become a real one. */
	if (getsockname(s, (struct sockaddr *)&bound, &len) == 0)
		set_address(&wanted, (struct sockaddr *)&bound, len);
	*ret_address = wanted;
	*ret_socket = (socket_handle)s;
	return STATUS_OK;
}

/* The next connection, or INVALID_SOCKET with WSAEINTR after socket_listen_stop. The event is
 * reset before accept: a connection that comes in between sets it again. */
static SOCKET wait_accept(struct listener *listener, struct sockaddr_storage *peer, int *len)
{
	for (;;) {
		WSAEVENT events[2] = {listener->stop, listener->incoming};
		DWORD which = WSAWaitForMultipleEvents(2, events, FALSE, WSA_INFINITE, FALSE);
		int room = *len;
		SOCKET s;

		/* The index of the event. (WSA_WAIT_EVENT_0 is 0, by way of a name that would
		 * stand among our own statuses.) */
		if (which != 1) {
			WSASetLastError(WSAEINTR);
			return INVALID_SOCKET;
		}
		WSAResetEvent(listener->incoming);
		s = accept(listener->socket, (struct sockaddr *)peer, &room);
		if (s != INVALID_SOCKET || WSAGetLastError() != WSAEWOULDBLOCK) {
			*len = room;
			return s;
		}
	}
}

enum status socket_accept(
    socket_handle listener, socket_handle *ret_socket, struct socket_address *ret_peer)
{
	struct listener *found = find_listener((SOCKET)listener);
	struct sockaddr_storage peer;
	int len = sizeof peer;
	SOCKET s;

	if (found == NULL)
		return STATUS_CLOSED;
	s = wait_accept(found, &peer, &len);
	if (s == INVALID_SOCKET) {
		switch (WSAGetLastError()) {
		case WSAEINTR: /* from wait_accept */
		case WSAEINVAL:
		case WSAENOTSOCK:
			return STATUS_CLOSED;
		case WSAEMFILE:
			return STATUS_NO_FILES;
		case WSAENOBUFS:
			return STATUS_NOMEM;
		default:
			return STATUS_AGAIN;
		}
	}
	/* It has inherited the listener's event, which is not for it. */
	WSAEventSelect(s, NULL, 0);
	set_nonblocking(s);
	SetHandleInformation((HANDLE)s, HANDLE_FLAG_INHERIT, 0);
	prepare(s);
	set_address(ret_peer, (struct sockaddr *)&peer, len);
	*ret_socket = (socket_handle)s;
	return STATUS_OK;
}

void socket_listen_stop(socket_handle listener)
{
	struct listener *found = find_listener((SOCKET)listener);

	if (found != NULL)
		WSASetEvent(found->stop);
}

/* Waits for a connection that is being made; its outcome as a code, WSAETIMEDOUT, or
 * WSAECANCELLED. With select, because WSAPoll tells nothing of a refused connection before Windows
 * 10 of 2020 (version 2004), so that a server that is not there would be waited for to the end. */
static int wait_connected(SOCKET s, uint64_t end_ms, const atomic_bool *cancel)
{
	for (;;) {
		uint64_t now = clock_mono_ms(), left = end_ms > now ? end_ms - now : 0;
		long slice_ms = left < CANCEL_SLICE_MS ? (long)left : CANCEL_SLICE_MS;
		struct timeval slice = {.tv_usec = slice_ms * 1000};
		fd_set done = {.fd_count = 1, .fd_array = {s}}, failed = done;
		int ready, code = 0;
		int len = sizeof code;

		if (cancel != NULL && *cancel)
			return WSAECANCELLED;
		if (left == 0)
			return WSAETIMEDOUT;
		ready = select(0, NULL, &done, &failed, &slice);
		if (ready < 0)
			return WSAGetLastError();
		if (ready > 0)
			return getsockopt(s, SOL_SOCKET, SO_ERROR, (char *)&code, &len) == 0
			           ? code
			           : WSAGetLastError();
	}
}

/* Create, connect; the code of the failure, or 0 and *ret_socket. */
static int connect_to(
    const ADDRINFOW *address, uint64_t end_ms, const atomic_bool *cancel, SOCKET *ret_socket)
{
	SOCKET s = create(address);
	int code = 0;

	if (s == INVALID_SOCKET)
		return WSAGetLastError();
	set_nonblocking(s);
	if (connect(s, address->ai_addr, (int)address->ai_addrlen) != 0)
		code = WSAGetLastError();
	if (code == WSAEWOULDBLOCK)
		code = wait_connected(s, end_ms, cancel);
	if (code != 0) {
		closesocket(s);
		return code;
	}
	prepare(s);
	*ret_socket = s;
	return 0;
}

enum status socket_connect(const char *host, uint16_t port, unsigned timeout_ms,
    const atomic_bool *cancel, socket_handle *ret_socket, struct socket_address *ret_peer,
    struct error *err)
{
	uint64_t end = clock_mono_ms() + timeout_ms;
	ADDRINFOW *list;
	enum status status = resolve(host, port, end, cancel, &list, err);
	unsigned left = 0;
	SOCKET s = INVALID_SOCKET;

	if (status != STATUS_OK)
		return status;
	for (const ADDRINFOW *at = list; at != NULL; at = at->ai_next)
		left++;
	status = STATUS_UNREACHABLE;
	for (const ADDRINFOW *at = list; at != NULL; at = at->ai_next, left--) {
		uint64_t now = clock_mono_ms();
		struct socket_address address;
		int code = connect_to(at, socket_platform_share(now, end, left), cancel, &s);

		set_address(&address, at->ai_addr, (int)at->ai_addrlen);
		if (code == 0) {
			*ret_peer = address;
			*ret_socket = (socket_handle)s;
			status = STATUS_OK;
			break;
		}
		if (code == WSAECANCELLED) {
			status = error_set(err, STATUS_INTERRUPTED, "interrupted");
			break;
		}
		/* A network that is not there says less than an answer, or silence, from another.
		 */
		if (status == STATUS_UNREACHABLE)
			status =
			    socket_platform_connect_error(err, status_of(code), address.text, code);
	}
	FreeAddrInfoW(list);
	return status;
}

enum status socket_send(socket_handle handle, const void *bytes, size_t len, size_t *ret_sent)
{
	int sent = send((SOCKET)handle, bytes, len < INT_MAX ? (int)len : INT_MAX, 0);

	if (sent < 0)
		return status_of(WSAGetLastError());
	*ret_sent = (size_t)sent;
	return STATUS_OK;
}

enum status socket_receive(socket_handle handle, void *to, size_t max, size_t *ret_received)
{
	int got = recv((SOCKET)handle, to, max < INT_MAX ? (int)max : INT_MAX, 0);

	if (got < 0)
		return status_of(WSAGetLastError());
	if (got == 0)
		return STATUS_EOF;
	*ret_received = (size_t)got;
	return STATUS_OK;
}

void socket_shutdown_send(socket_handle handle)
{
	shutdown((SOCKET)handle, SD_SEND);
}

void socket_close(socket_handle handle)
{
	if (handle == SOCKET_NONE)
		return;
	remove_listener((SOCKET)handle);
	closesocket((SOCKET)handle);
}
