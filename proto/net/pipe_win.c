#include "net/pipe_platform.h"

#include <fcntl.h>
#include <io.h>
#include <stdlib.h>
#include <windows.h>
#include <aclapi.h>

#include "os/rights_win.h"
#include "os/thread.h"
#include "os/wide_win.h"

#define BUFFER_SIZE 65536
#define RETRY_MS 100 /* after a failure, which is a lack of something */

/* A thread waits for connections, one at a time, and hands each over before it waits for the next;
 * `ready` is the hand-over. */
struct pipe_acceptor {
	uv_async_t async;
	struct thread *thread;
	wchar_t *name;
	SECURITY_ATTRIBUTES rights;
	HANDLE next;	      /* the instance that waits for a client */
	HANDLE taken, stop;   /* events */
	HANDLE ready;	      /* a connected instance, for the loop; guarded by the lock */
	SRWLOCK lock;
	void (*fn)(void *arg);
	void *arg;
};

void pipe_platform_path(const char *dir, struct buf *to)
{
	wchar_t *wide = wide_of_utf8(dir);
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	if (wide == NULL) {
		to->failed = true;
		return;
	}
	/* One folder has one name, however its letters are written. Nothing hangs on the hash being
	 * hard to guess: the name of a pipe is public. */
	CharLowerW(wide);
	for (const wchar_t *c = wide; *c != L'\0'; c++)
		hash = (hash ^ (uint64_t)*c) * UINT64_C(0x100000001b3);
	free(wide);
	buf_put_fmt(to, "\\\\.\\pipe\\confab-%016llx", (unsigned long long)hash);
}

static HANDLE make_instance(struct pipe_acceptor *acceptor, DWORD first)
{
	return CreateNamedPipeW(acceptor->name, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | first,
	    PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
	    PIPE_UNLIMITED_INSTANCES, BUFFER_SIZE, BUFFER_SIZE, 0, &acceptor->rights);
}

/* Waits for one of two events: is it the second? (The answer counts from 0; its name, WAIT_OBJECT_0,
 * hangs on a list of codes that is not included, as their names are also ours.) */
static bool wait_for_second(const HANDLE events[2])
{
	return WaitForMultipleObjects(2, events, FALSE, INFINITE) == 1;
}

/* OK, AGAIN: there was none, or INTERRUPTED: time to stop. */
static enum status wait_for_client(struct pipe_acceptor *acceptor, HANDLE connected)
{
	OVERLAPPED how = {.hEvent = connected};
	HANDLE events[] = {acceptor->stop, connected};
	DWORD got;

	ResetEvent(connected);
	/* One that came and went at once (NO_DATA) is taken all the same: reading shows its end. */
	if (ConnectNamedPipe(acceptor->next, &how) || GetLastError() == ERROR_PIPE_CONNECTED ||
	    GetLastError() == ERROR_NO_DATA)
		return STATUS_OK;
	if (GetLastError() != ERROR_IO_PENDING)
		return WaitForSingleObject(acceptor->stop, RETRY_MS) == WAIT_TIMEOUT
		    ? STATUS_AGAIN
		    : STATUS_INTERRUPTED;
	if (wait_for_second(events))
		return STATUS_OK;
	CancelIoEx(acceptor->next, &how);
	GetOverlappedResult(acceptor->next, &how, &got, TRUE);
	return STATUS_INTERRUPTED;
}

/* The next instance is made before the connected one is given away, so that there is always one. */
static bool hand_over(struct pipe_acceptor *acceptor)
{
	HANDLE events[] = {acceptor->stop, acceptor->taken};
	HANDLE connected = acceptor->next;

	acceptor->next = make_instance(acceptor, 0);
	while (acceptor->next == INVALID_HANDLE_VALUE) {
		if (WaitForSingleObject(acceptor->stop, RETRY_MS) != WAIT_TIMEOUT) {
			CloseHandle(connected);
			return false;
		}
		acceptor->next = make_instance(acceptor, 0);
	}
	AcquireSRWLockExclusive(&acceptor->lock);
	acceptor->ready = connected;
	ReleaseSRWLockExclusive(&acceptor->lock);
	uv_async_send(&acceptor->async);
	return wait_for_second(events);
}

static void accept_all(void *arg)
{
	struct pipe_acceptor *acceptor = arg;
	HANDLE connected = CreateEventW(NULL, TRUE, FALSE, NULL);
	enum status status;

	if (connected == NULL)
		return;
	do {
		status = wait_for_client(acceptor, connected);
		if (status == STATUS_OK && !hand_over(acceptor))
			status = STATUS_INTERRUPTED;
	} while (status != STATUS_INTERRUPTED);
	CloseHandle(connected);
}

static HANDLE take_ready(struct pipe_acceptor *acceptor)
{
	HANDLE ready;

	AcquireSRWLockExclusive(&acceptor->lock);
	ready = acceptor->ready;
	acceptor->ready = INVALID_HANDLE_VALUE;
	ReleaseSRWLockExclusive(&acceptor->lock);
	return ready;
}

static void on_async(uv_async_t *async)
{
	struct pipe_acceptor *acceptor = async->data;

	acceptor->fn(acceptor->arg);
}

static int give(HANDLE handle, uv_pipe_t *to)
{
	int fd = _open_osfhandle((intptr_t)handle, _O_BINARY), code;

	if (fd < 0) {
		CloseHandle(handle);
		return UV_EMFILE;
	}
	code = uv_pipe_open(to, fd);
	if (code != 0)
		_close(fd);
	return code;
}

int pipe_acceptor_take(struct pipe_acceptor *acceptor, uv_pipe_t *to)
{
	HANDLE ready = take_ready(acceptor);

	SetEvent(acceptor->taken);
	return ready == INVALID_HANDLE_VALUE ? UV_EAGAIN : give(ready, to);
}

static void release(struct pipe_acceptor *acceptor)
{
	if (acceptor->next != INVALID_HANDLE_VALUE)
		CloseHandle(acceptor->next);
	if (acceptor->ready != INVALID_HANDLE_VALUE)
		CloseHandle(acceptor->ready);
	if (acceptor->taken != NULL)
		CloseHandle(acceptor->taken);
	if (acceptor->stop != NULL)
		CloseHandle(acceptor->stop);
	LocalFree(acceptor->rights.lpSecurityDescriptor);
	free(acceptor->name);
	free(acceptor);
}

static void on_closed(uv_handle_t *handle)
{
	release(handle->data);
}

static enum status fill(struct pipe_acceptor *acceptor, const char *path, struct error *err)
{
	acceptor->name = wide_of_utf8(path);
	acceptor->rights = (SECURITY_ATTRIBUTES){
	    .nLength = sizeof acceptor->rights,
	    .lpSecurityDescriptor = rights_private(RIGHTS_PIPE),
	};
	acceptor->taken = CreateEventW(NULL, FALSE, FALSE, NULL);
	acceptor->stop = CreateEventW(NULL, TRUE, FALSE, NULL);
	/* Without its access list the pipe would be open to others. */
	if (acceptor->name == NULL || acceptor->rights.lpSecurityDescriptor == NULL ||
	    acceptor->taken == NULL || acceptor->stop == NULL)
		return error_set(err, STATUS_NOMEM, "cannot make the control channel's rights");
	acceptor->next = make_instance(acceptor, FILE_FLAG_FIRST_PIPE_INSTANCE);
	if (acceptor->next != INVALID_HANDLE_VALUE)
		return STATUS_OK;
	/* An instance there already refuses us: it is somebody else's. */
	if (GetLastError() == ERROR_ACCESS_DENIED || GetLastError() == ERROR_PIPE_BUSY)
		return error_set(err, STATUS_EXISTS,
		    "another process has the pipe %s of the control channel", path);
	return error_set(err, STATUS_IO, "cannot make the pipe %s: %s", path,
	    uv_strerror(uv_translate_sys_error((int)GetLastError())));
}

enum status pipe_acceptor_new(uv_loop_t *loop, const char *path, void (*fn)(void *arg), void *arg,
    struct pipe_acceptor **ret, struct error *err)
{
	struct pipe_acceptor *acceptor = calloc(1, sizeof *acceptor);
	enum status status;

	if (acceptor == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	acceptor->fn = fn;
	acceptor->arg = arg;
	acceptor->next = acceptor->ready = INVALID_HANDLE_VALUE;
	InitializeSRWLock(&acceptor->lock);
	status = fill(acceptor, path, err);
	if (status != STATUS_OK) {
		release(acceptor);
		return status;
	}
	uv_async_init(loop, &acceptor->async, on_async);
	acceptor->async.data = acceptor;
	status = thread_start("control-accept", accept_all, acceptor, &acceptor->thread);
	if (status != STATUS_OK) {
		uv_close((uv_handle_t *)&acceptor->async, on_closed);
		return error_set(err, status, "out of memory for a thread");
	}
	*ret = acceptor;
	return STATUS_OK;
}

void pipe_acceptor_close(struct pipe_acceptor *acceptor)
{
	SetEvent(acceptor->stop);
	thread_join(acceptor->thread);
	uv_close((uv_handle_t *)&acceptor->async, on_closed);
}

/* --- The client's side ---------------------------------------------------------------------- */

static bool is_trusted(HANDLE pipe)
{
	PSECURITY_DESCRIPTOR descriptor;
	PSID owner;
	bool is;

	if (GetSecurityInfo(pipe, SE_KERNEL_OBJECT, OWNER_SECURITY_INFORMATION, &owner, NULL, NULL,
	        NULL, &descriptor) != ERROR_SUCCESS)
		return false;
	is = owner != NULL && rights_is_own(owner);
	LocalFree(descriptor);
	return is;
}

/* Whoever is at the other end may ask who we are, but not act as us. */
static HANDLE open_pipe(const wchar_t *name, unsigned timeout_ms)
{
	ULONGLONG end = GetTickCount64() + timeout_ms;
	HANDLE pipe;

	for (;;) {
		ULONGLONG now;

		pipe = CreateFileW(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING,
		    FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, NULL);
		if (pipe != INVALID_HANDLE_VALUE || GetLastError() != ERROR_PIPE_BUSY)
			return pipe;
		now = GetTickCount64();
		if (now >= end || (!WaitNamedPipeW(name, (DWORD)(end - now)) &&
		                      GetLastError() != ERROR_PIPE_BUSY)) {
			SetLastError(ERROR_SEM_TIMEOUT);
			return INVALID_HANDLE_VALUE;
		}
	}
}

int pipe_platform_connect(uv_pipe_t *to, const char *path, unsigned timeout_ms)
{
	wchar_t *name = wide_of_utf8(path);
	HANDLE pipe;

	if (name == NULL)
		return UV_ENOMEM;
	pipe = open_pipe(name, timeout_ms);
	free(name);
	if (pipe == INVALID_HANDLE_VALUE)
		return uv_translate_sys_error((int)GetLastError());
	if (!is_trusted(pipe)) {
		CloseHandle(pipe);
		return UV_EACCES;
	}
	return give(pipe, to);
}
