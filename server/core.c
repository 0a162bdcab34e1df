#include "core.h"

#include "os/random.h"
#include "passwords.h"
#include "store/store_sqlite.h"

enum status core_open(const struct config *config, unsigned workers,
    const struct core_owner *owner, struct engine **ret, struct error *err)
{
	const char *name = config_text(config, CONFIG_name);
	struct chat_options options = {
	    .name = name != NULL ? name : "confab",
	    .motd = config_text(config, CONFIG_motd),
	    .guests = config_number(config, CONFIG_guests) != 0,
	    .certificates = config_text(config, CONFIG_client_ca) != NULL,
	    .auto_create = config_number(config, CONFIG_auto_create) == 0, /* "yes" is first */
	    .registration =
		(enum chat_registration)config_number(config, CONFIG_registration),
	    .directory = config_number(config, CONFIG_directory) != 0,
	    .no_throttle = config_number(config, CONFIG_no_limits) != 0,
	    .workers = workers,
	    .seed = random_u64(),
	    .id_seed = random_u64(),
	    .line_max = config_number(config, CONFIG_max_line),
	    .first_line_max = config_number(config, CONFIG_max_first_line),
	    .login_s = config_number(config, CONFIG_login_time),
	    .idle_s = config_number(config, CONFIG_idle_time),
	    .ping_s = config_number(config, CONFIG_ping_time),
	};
	enum status status;

	if (owner != NULL) {
		options.reload = owner->reload;
		options.shutdown = owner->shutdown;
		options.owner = owner->arg;
	}
	if (config_text(config, CONFIG_data) == NULL)
		return error_set(err, STATUS_USAGE,
		    "no folder for what is kept: name one with --data DIR");
	status = passwords_startup(err);
	if (status == STATUS_OK)
		status = store_sqlite_open(config_text(config, CONFIG_data),
		    config_number(config, CONFIG_durability) == 0 ? STORE_FULL : STORE_NORMAL,
		    &options.store, err);
	if (status != STATUS_OK)
		return status;
	options.epoch = store_sqlite_epoch(options.store);
	return engine_new(&options, ret, err);
}
