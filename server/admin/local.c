/* The verbs that ask the core need one that runs. */
#include "admin/channel.h"

enum status admin_local_open(const struct config *config, struct admin_channel *ret,
    struct error *err)
{
	(void)ret;
	return error_set(err, STATUS_CONN_REFUSED,
	    "no server runs on %s: start it first, this is done by a running server",
	    config_text(config, CONFIG_data));
}
