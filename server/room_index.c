#include "room_index.h"

#include <stdlib.h>
#include <string.h>

struct room_list {
	struct room_guest **guests;
	uint32_t count, cap;
};

void room_index_release(struct room_index *index)
{
	for (uint32_t i = 0; i < index->cap; i++)
		free(index->rooms[i].guests);
	free(index->rooms);
	*index = (struct room_index){0};
}

static uint32_t doubled(uint32_t cap, uint32_t need)
{
	uint32_t next = cap > 0 ? cap * 2 : 4;

	return next > need ? next : need;
}

static struct room_list *list_for(struct room_index *index, uint32_t slot)
{
	if (slot >= index->cap) {
		uint32_t cap = doubled(index->cap, slot + 1);
		struct room_list *rooms = realloc(index->rooms, cap * sizeof *rooms);

		if (rooms == NULL)
			return NULL;
		memset(rooms + index->cap, 0, (cap - index->cap) * sizeof *rooms);
		index->rooms = rooms;
		index->cap = cap;
	}
	return &index->rooms[slot];
}

bool room_index_attach(struct room_index *index, uint32_t slot, struct room_guest *guest)
{
	struct room_list *list = list_for(index, slot);

	if (list == NULL)
		return false;
	if (list->count == list->cap) {
		uint32_t cap = doubled(list->cap, 0);
		struct room_guest **guests = realloc(list->guests, cap * sizeof *guests);

		if (guests == NULL)
			return false;
		list->guests = guests;
		list->cap = cap;
	}
	if (guest->count == guest->cap) {
		uint32_t cap = doubled(guest->cap, 0);
		struct room_seat *seats = realloc(guest->seats, cap * sizeof *seats);

		if (seats == NULL)
			return false;
		guest->seats = seats;
		guest->cap = cap;
	}
	guest->seats[guest->count++] = (struct room_seat){slot, list->count};
	list->guests[list->count++] = guest;
	return true;
}

static struct room_seat *seat_of(const struct room_guest *guest, uint32_t slot)
{
	for (uint32_t i = 0; i < guest->count; i++)
		if (guest->seats[i].slot == slot)
			return &guest->seats[i];
	return NULL;
}

/* The last of the list takes the free place, and learns of it. */
static void leave_list(struct room_list *list, uint32_t slot, uint32_t at)
{
	struct room_guest *last = list->guests[--list->count];

	if (at < list->count) {
		list->guests[at] = last;
		seat_of(last, slot)->at = at;
	}
	if (list->count == 0) {
		free(list->guests);
		*list = (struct room_list){0};
	}
}

void room_index_detach(struct room_index *index, uint32_t slot, struct room_guest *guest)
{
	struct room_seat *seat = seat_of(guest, slot);

	if (seat == NULL)
		return;
	leave_list(&index->rooms[slot], slot, seat->at);
	*seat = guest->seats[--guest->count];
}

void room_index_leave_all(struct room_index *index, struct room_guest *guest)
{
	while (guest->count > 0)
		room_index_detach(index, guest->seats[guest->count - 1].slot, guest);
	free(guest->seats);
	*guest = (struct room_guest){0};
}

struct room_guest *const *room_index_get(const struct room_index *index, uint32_t slot,
    uint32_t *ret_count)
{
	if (slot >= index->cap) {
		*ret_count = 0;
		return NULL;
	}
	*ret_count = index->rooms[slot].count;
	return index->rooms[slot].guests;
}
