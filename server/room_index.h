/*
 * A worker's view of the rooms: for each slot the clients of this worker that are attached, and
 * for each client the slots it is in, so that both joining and leaving cost the same however
 * large the room is. The worker's thread only.
 */
#ifndef CONFAB_SERVER_ROOM_INDEX_H
#define CONFAB_SERVER_ROOM_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A client's part: embedded in it. */
struct room_seat {
	uint32_t slot;
	uint32_t at; /* place in the room's list */
};
struct room_guest {
	struct room_seat *seats;
	uint32_t count, cap;
};

struct room_list;
struct room_index {
	struct room_list *rooms; /* by slot */
	uint32_t cap;
};

void room_index_release(struct room_index *index);

/* False without memory. A client is in a room at most once. */
bool room_index_attach(struct room_index *index, uint32_t slot, struct room_guest *guest);
void room_index_detach(struct room_index *index, uint32_t slot, struct room_guest *guest);

/* Out of all rooms, and its memory given back. */
void room_index_leave_all(struct room_index *index, struct room_guest *guest);

/* The clients in a room; *ret_count 0 for a slot nobody is in. Lent until the next change. */
struct room_guest *const *room_index_get(const struct room_index *index, uint32_t slot,
    uint32_t *ret_count);

#endif
