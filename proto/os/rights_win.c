#include "os/rights_win.h"

#include <sddl.h>
#include <wchar.h>

union user_info {
	TOKEN_USER user;
	char bytes[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
};

static bool get_user(union user_info *ret)
{
	HANDLE token;
	DWORD len;
	bool done;

	if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
		return false;
	done = GetTokenInformation(token, TokenUser, ret, sizeof *ret, &len) != 0;
	CloseHandle(token);
	return done;
}

/* The user is the owner (O), also where the system would take the administrators for it, so that
 * others can ask whose it is. Nothing is inherited (P); all rights (FA) for the user, SYSTEM (SY) and, of a pipe,
 * administrators (BA); in a folder, what is created there inherits the same (OICI). */
PSECURITY_DESCRIPTOR rights_private(enum rights_of what)
{
	const wchar_t *inherit = what == RIGHTS_DIR ? L"OICI" : L"";
	const wchar_t *more = what == RIGHTS_PIPE ? L"(A;;FA;;;BA)" : L"";
	PSECURITY_DESCRIPTOR rights = NULL;
	union user_info info;
	wchar_t sddl[512], *sid;

	if (!get_user(&info) || !ConvertSidToStringSidW(info.user.User.Sid, &sid))
		return NULL;
	_snwprintf(sddl, 511, L"O:%lsD:P(A;%ls;FA;;;%ls)(A;%ls;FA;;;SY)%ls", sid, inherit, sid,
	    inherit, more);
	sddl[511] = L'\0';
	LocalFree(sid);
	if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(
	        sddl, SDDL_REVISION_1, &rights, NULL))
		return NULL;
	return rights;
}

bool rights_is_own(PSID sid)
{
	union user_info info;

	return IsWellKnownSid(sid, WinLocalSystemSid) ||
	    IsWellKnownSid(sid, WinBuiltinAdministratorsSid) ||
	    (get_user(&info) && EqualSid(info.user.User.Sid, sid));
}
