#include "crypto/sha256_fast.h"

#include <stdatomic.h>

#include <cpuid.h>
#include <mbedtls/sha256.h>

#include "crypto/sha256_stock.h"
#include "crypto/sha256_x86.h"

#define LEAF_FEATURES 7
#define FEATURE_SHA (1u << 29) /* of EBX */

static atomic_bool is_allowed = true;

/* The compilers' own question knows the SHA instructions in their newest releases only. */
static bool ask_processor(void)
{
	unsigned eax, ebx, ecx, edx;

	return __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1") &&
	       __get_cpuid_count(LEAF_FEATURES, 0, &eax, &ebx, &ecx, &edx) != 0 &&
	       (ebx & FEATURE_SHA) != 0;
}

/* Asked once: in a virtual machine the question costs more than a hundred blocks. Threads that ask
 * at the same time get the same answer. */
bool sha256_fast_is_supported(void)
{
	static atomic_int answer; /* 0: not asked yet */
	int known = atomic_load_explicit(&answer, memory_order_relaxed);

	if (known == 0) {
		known = ask_processor() ? 1 : -1;
		atomic_store_explicit(&answer, known, memory_order_relaxed);
	}
	return known > 0;
}

void sha256_fast_allow(bool allowed)
{
	atomic_store_explicit(&is_allowed, allowed, memory_order_relaxed);
}

int mbedtls_internal_sha256_process(mbedtls_sha256_context *ctx, const unsigned char data[64])
{
	if (!sha256_fast_is_supported() || !atomic_load_explicit(&is_allowed, memory_order_relaxed))
		return sha256_stock_process(ctx, data);
	sha256_x86_block(ctx->MBEDTLS_PRIVATE(state), data);
	return 0;
}
