#include "os/thread_platform.h"

#include <stdlib.h>
#include <windows.h>

#include "os/wide_win.h"

void thread_platform_detach(uv_thread_t thread)
{
	CloseHandle(thread);
}

/* Looked up at run time: the headers of some compilers and the first Windows 10 lack it. */
void thread_platform_set_name(const char *name)
{
	typedef HRESULT WINAPI describe_fn(HANDLE thread, const wchar_t *text);
	FARPROC found = GetProcAddress(GetModuleHandleW(L"kernel32.dll"), "SetThreadDescription");
	describe_fn *describe = (describe_fn *)(void (*)(void))found;
	wchar_t *wide = wide_of_utf8(name);

	if (wide != NULL && describe != NULL)
		describe(GetCurrentThread(), wide);
	free(wide);
}

void thread_platform_yield(void)
{
	SwitchToThread();
}

/* A job's limit on processor time slows a process down but hides no processor; there is no
 * whole number that stands for it. */
unsigned thread_platform_cpu_quota(void)
{
	return 0;
}
