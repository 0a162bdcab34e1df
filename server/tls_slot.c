#include "tls_slot.h"

#include <stdlib.h>

#include "os/thread.h"

struct tls_slot {
	struct mutex *mutex;
	struct tls_context *context;
};

struct tls_slot *tls_slot_new(struct tls_context *context)
{
	struct tls_slot *slot = calloc(1, sizeof *slot);

	if (slot == NULL)
		return NULL;
	slot->mutex = mutex_new();
	slot->context = context;
	return slot;
}

void tls_slot_free(struct tls_slot *slot)
{
	if (slot == NULL)
		return;
	tls_context_unref(slot->context);
	mutex_free(slot->mutex);
	free(slot);
}

struct tls_context *tls_slot_take(struct tls_slot *slot)
{
	struct tls_context *context;

	mutex_lock(slot->mutex);
	context = tls_context_ref(slot->context);
	mutex_unlock(slot->mutex);
	return context;
}

void tls_slot_put(struct tls_slot *slot, struct tls_context *context)
{
	struct tls_context *old;

	mutex_lock(slot->mutex);
	old = slot->context;
	slot->context = context;
	mutex_unlock(slot->mutex);
	tls_context_unref(old);
}
