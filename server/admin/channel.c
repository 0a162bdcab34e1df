#include "admin/channel.h"

#include <stdlib.h>

#include "admin/files.h"
#include "net/pipe.h"
#include "os/file.h"

#define CONNECT_MS 5000

static enum status send_line(void *impl, struct slice line, unsigned timeout_ms, struct error *err)
{
	return pipe_client_send(impl, line, timeout_ms, err);
}

static enum status read_line(void *impl, unsigned timeout_ms, struct slice *ret_line,
    struct error *err)
{
	return pipe_client_read(impl, timeout_ms, ret_line, err);
}

static void close_client(void *impl)
{
	pipe_client_close(impl);
}

static enum status open_client(const char *data_dir, struct pipe_client **ret, struct error *err)
{
	enum status status;
	struct buf path;

	buf_init(&path, 65536);
	status = pipe_path(data_dir, &path, err);
	if (status == STATUS_OK)
		status = pipe_client_open(buf_text(&path), CONNECT_MS, ret, err);
	buf_release(&path);
	return status;
}

enum status admin_channel_probe(const char *data_dir, struct error *err)
{
	struct pipe_client *client;
	enum status status = open_client(data_dir, &client, err);

	if (status == STATUS_OK)
		pipe_client_close(client);
	return status;
}

static bool has_store(const char *data_dir)
{
	char *path = files_path(data_dir, "confab.db");
	bool found = path != NULL && file_exists(path);

	free(path);
	return found;
}

static enum status open_local(const struct config *config, enum admin_need need,
    struct admin_channel *ret, struct error *err)
{
	const char *data = config_text(config, CONFIG_data);

	if (need == ADMIN_SERVER)
		return error_set(err, STATUS_CONN_REFUSED,
		    "no server runs on %s: start it first, this is done by a running server", data);
	if (need == ADMIN_STORE && !has_store(data))
		return error_set(err, STATUS_NOT_FOUND,
		    "there is no store in %s, and no server runs on it: is --data right?", data);
	return admin_local_open(config, ret, err);
}

enum status admin_channel_open(const struct config *config, enum admin_need need,
    struct admin_channel *ret, struct error *err)
{
	static const struct admin_channel_ops ops = {send_line, read_line, close_client};
	const char *data = config_text(config, CONFIG_data);
	struct pipe_client *client;
	enum status status;

	if (data == NULL)
		return error_set(err, STATUS_USAGE,
		    "whose accounts? name the server's folder with --data DIR or --dir DIR");
	status = open_client(data, &client, err);
	/* A path too long for a socket has no server either: it could not have started. */
	if (status == STATUS_NOT_FOUND || status == STATUS_INVALID)
		return open_local(config, need, ret, err);
	if (status == STATUS_OK)
		*ret = (struct admin_channel){.ops = &ops, .impl = client};
	return status;
}

void admin_channel_close(struct admin_channel *channel)
{
	if (channel->ops != NULL)
		channel->ops->close(channel->impl);
	*channel = (struct admin_channel){.ops = NULL};
}
