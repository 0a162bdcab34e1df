#include "os/wide_win.h"

#include <stdlib.h>
#include <windows.h>

wchar_t *wide_of_utf8(const char *text)
{
	int count = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);
	wchar_t *wide = count > 0 ? calloc((size_t)count, sizeof *wide) : NULL;

	if (wide != NULL)
		MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, wide, count);
	return wide;
}

char *wide_to_utf8(const wchar_t *text)
{
	int len = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
	char *utf8 = len > 0 ? malloc((size_t)len) : NULL;

	if (utf8 != NULL)
		WideCharToMultiByte(CP_UTF8, 0, text, -1, utf8, len, NULL, NULL);
	return utf8;
}
