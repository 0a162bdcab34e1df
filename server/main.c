/*
 * confab-server: reads the configuration, loads the certificate, starts workers and listeners,
 * and waits to be told to stop.
 */
#include <stdlib.h>

#include "admin/admin.h"
#include "config.h"
#include "confab_version.h"
#include "control_console.h"
#include "core.h"
#include "engine.h"
#include "throttle.h"
#include "listener.h"
#include "os/file.h"
#include "os/log.h"
#include "os/program.h"
#include "os/thread.h"
#include "worker.h"

#define PEM_MAX (4u << 20)   /* bytes of a certificate, chain or list */
#define WARN_DAYS 30	     /* before the certificate ends */

struct server {
	struct config config;
	struct tls_slot *tls;
	struct throttle *throttle;
	struct engine *engine;
	struct worker_options worker_options;
	struct worker **workers;
	unsigned worker_count;
	struct listener *listener;
	struct control *control;
	struct mutex *mutex;
	struct cond *cond;
	bool stop;
};

static void print(struct buf *text)
{
	program_write(PROGRAM_STDOUT, text->ptr, text->len);
	buf_release(text);
}

static void print_help(void)
{
	struct buf text;

	buf_init(&text, 65536);
	buf_put_str(&text,
	    "usage: confab-server [OPTIONS]\n"
	    "       confab-server VERB [WORDS] [OPTIONS]\n\n"
	    "The Confab chat server: TLS, one JSON object a line, rooms and direct messages.\n"
	    "Every option is also a key of the configuration file (with _ for -).\n\n");
	options_help(config_options(), &text);
	buf_put_str(&text, "\nVerbs, for the server that runs on the same folder (VERB --help tells "
			   "more):\n\n");
	admin_help(&text);
	buf_put_str(&text, "\nExit codes: 0 stopped as asked, 2 wrong usage or configuration, "
			   "4 certificate, 1 else.\n"
			   "To make certificates: confab-certs init, then confab-certs server NAME; "
			   "or scripts/gen-certs.sh.\n");
	print(&text);
}

static void print_version(void)
{
	struct buf text;

	buf_init(&text, 256);
	buf_put_str(&text, "confab-server " CONFAB_VERSION "\n");
	print(&text);
}

/* --- TLS ------------------------------------------------------------------------------------ */

static enum status read_pem(const char *path, struct buf *to, struct slice *ret, struct error *err)
{
	enum status status;

	buf_init(to, PEM_MAX);
	if (path == NULL)
		return STATUS_OK;
	status = file_read(path, to, err);
	*ret = buf_slice(to);
	return status;
}

static enum status missing_certificate(const struct config *config, struct error *err)
{
	const char *cert = config_text(config, CONFIG_cert);

	return error_set(err, STATUS_TLS,
	    "no certificate%s%s; make one with \"confab-certs init\" and \"confab-certs server "
	    "localhost\" (or scripts/gen-certs.sh), and name it with --cert FILE --key FILE",
	    cert != NULL ? " at " : "", cert != NULL ? cert : "");
}

static enum status load_tls(const struct config *config, struct tls_context **ret,
    struct error *err)
{
	struct tls_options options = {
	    .role = TLS_SERVER,
	    .cert_name = config_text(config, CONFIG_cert),
	    .key_name = config_text(config, CONFIG_key),
	    .ca_name = config_text(config, CONFIG_client_ca),
	    .crl_name = config_text(config, CONFIG_crl),
	};
	struct buf cert, key, ca, crl;
	enum status status;

	if (options.cert_name == NULL || options.key_name == NULL)
		return missing_certificate(config, err);
	buf_init(&key, PEM_MAX);
	buf_init(&ca, PEM_MAX);
	buf_init(&crl, PEM_MAX);
	status = read_pem(options.cert_name, &cert, &options.cert, err);
	if (status == STATUS_NOT_FOUND)
		status = missing_certificate(config, err);
	if (status == STATUS_OK)
		status = read_pem(options.key_name, &key, &options.key, err);
	if (status == STATUS_OK)
		status = read_pem(options.ca_name, &ca, &options.ca, err);
	if (status == STATUS_OK)
		status = read_pem(options.crl_name, &crl, &options.crl, err);
	if (options.ca.len > 0)
		options.peer_cert = config_number(config, CONFIG_require_client_cert) != 0
					? TLS_PEER_CERT_REQUIRED
					: TLS_PEER_CERT_OPTIONAL;
	if (status == STATUS_OK)
		status = tls_context_new(&options, ret, err);
	buf_release(&cert);
	buf_release_secret(&key);
	buf_release(&ca);
	buf_release(&crl);
	return status;
}

static void warn_about_files(const struct server *server)
{
	const char *key = config_text(&server->config, CONFIG_key);
	struct tls_context *context = tls_slot_take(server->tls);
	bool begun;
	int64_t days = tls_context_own_days(context, &begun);

	if (file_is_exposed(key))
		log_warn("tls", "others can read the private key %s: chmod 600 it", key);
	if (!begun)
		log_warn("tls", "the certificate is not valid yet: check this machine's clock");
	else if (days < 0)
		log_warn("tls", "the certificate has expired: confab-certs renew makes a new one");
	else if (days < WARN_DAYS)
		log_warn("tls", "the certificate ends in %lld days: confab-certs renew makes a "
				"new one",
		    (long long)days);
	tls_context_unref(context);
}

/* The files as they are now, for connections to come. */
static enum status reload(void *arg, struct error *err)
{
	struct server *server = arg;
	struct tls_context *context;
	enum status status = load_tls(&server->config, &context, err);

	if (status != STATUS_OK) {
		log_error("tls", "nothing was read again: %s", err->text);
		return status;
	}
	tls_slot_put(server->tls, context);
	log_info("tls", "certificate, authority and revocation list were read again");
	warn_about_files(server);
	return STATUS_OK;
}

static void shut_down(void *arg)
{
	(void)arg;
	stop_request();
}

/* --- Start and stop ------------------------------------------------------------------------- */

static enum status start_workers(struct server *server, struct error *err)
{
	const struct config *config = &server->config;
	bool limits = config_number(config, CONFIG_no_limits) == 0;
	enum status status;

	server->workers = calloc(server->worker_count, sizeof *server->workers);
	if (server->workers == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	server->worker_options = (struct worker_options){
	    .engine = server->engine,
	    .tls = server->tls,
	    .throttle = server->throttle,
	    .peers = server->workers,
	    .count = server->worker_count,
	    .line_max = (unsigned)config_number(config, CONFIG_max_line),
	    .first_line_max = (unsigned)config_number(config, CONFIG_max_first_line),
	    .rate = limits ? (unsigned)config_number(config, CONFIG_rate) : 0,
	    .burst = (unsigned)config_number(config, CONFIG_burst),
	    .login_ms = limits ? 1000 * (unsigned)config_number(config, CONFIG_login_time) : 0,
	    .idle_ms = limits ? 1000 * (unsigned)config_number(config, CONFIG_idle_time) : 0,
	    .ping_ms = 1000 * (unsigned)config_number(config, CONFIG_ping_time),
	};
	for (unsigned i = 0; i < server->worker_count; i++) {
		status = worker_new(&server->worker_options, i, &server->workers[i], err);
		if (status != STATUS_OK)
			return status;
		engine_set_worker(server->engine, i, server->workers[i]);
	}
	for (unsigned i = 0; i < server->worker_count; i++)
		if (worker_start(server->workers[i]) != STATUS_OK)
			return error_set(err, STATUS_NOMEM, "cannot start a worker's thread");
	return STATUS_OK;
}

static void warn_if_nobody_can_enter(const struct server *server)
{
	const struct config *config = &server->config;
	struct chat_counts counts;

	engine_count(server->engine, &counts);
	if (counts.users == 0 && config_number(config, CONFIG_guests) == 0 &&
	    config_number(config, CONFIG_registration) == CHAT_REGISTRATION_CLOSED &&
	    config_text(config, CONFIG_client_ca) == NULL)
		log_warn("server", "nobody can log in: make accounts (confab-server user add NAME), "
				   "let people register (--registration open), switch guests on "
				   "(--guests), or name the authority of client certificates "
				   "(--client-ca FILE)");
}

static enum status make_engine(struct server *server, struct error *err)
{
	const struct core_owner owner = {reload, shut_down, server};
	const struct config *config = &server->config;

	enum status status;

	status = core_open(config, server->worker_count, &owner, &server->engine, err);
	if (status == STATUS_OK)
		warn_if_nobody_can_enter(server);
	return status;
}

/* Without it the server serves, but nobody can administer it from here. */
static void open_control(struct server *server)
{
	struct error err;

	if (control_console_start(config_text(&server->config, CONFIG_data), server->engine,
		&server->control, &err) != STATUS_OK)
		log_warn("control", "no control channel: %s", err.text);
}

static enum status open_listener(struct server *server, struct error *err)
{
	static const char *const everywhere[] = {"[::]", "0.0.0.0"};
	const struct config *config = &server->config;
	bool by_default = config->listen_count == 0;

	return listener_new(by_default ? everywhere : (const char *const *)config->listen,
	    by_default ? 2 : config->listen_count, by_default, server->throttle, server->workers,
	    server->worker_count, &server->listener, err);
}

static enum status start(struct server *server, struct error *err)
{
	const struct config *config = &server->config;
	bool limits = config_number(config, CONFIG_no_limits) == 0;
	enum status status;

	if (!limits)
		log_warn("server", "--no-limits: rates, counts per address, the login deadline and "
				   "the idle ping are OFF. For benchmarks only; never on a network "
				   "with strangers.");
	server->worker_count = (unsigned)config_number(config, CONFIG_workers);
	if (server->worker_count == 0)
		server->worker_count = thread_cpu_count();
	server->throttle = throttle_new(
	    limits ? (unsigned)config_number(config, CONFIG_per_address) : 0,
	    (unsigned)config_number(config, CONFIG_max_connections));
	if (server->throttle == NULL)
		return error_set(err, STATUS_NOMEM, "out of memory");
	status = make_engine(server, err);
	if (status == STATUS_OK)
		status = start_workers(server, err);
	if (status == STATUS_OK) {
		open_control(server);
		status = open_listener(server, err);
	}
	if (status == STATUS_OK)
		status = listener_start(server->listener, err);
	return status;
}

/* Calls `fn` for every worker there is. */
static void each_worker(struct server *server, void (*fn)(struct worker *worker))
{
	for (unsigned i = 0; server->workers != NULL && i < server->worker_count; i++)
		if (server->workers[i] != NULL)
			fn(server->workers[i]);
}

static void stop(struct server *server)
{
	listener_stop(server->listener);
	each_worker(server, worker_silence);
	each_worker(server, worker_wait_silent);
	if (server->engine != NULL)
		engine_settle(server->engine);
	control_stop(server->control);
	each_worker(server, worker_stop);
	each_worker(server, worker_join);
	each_worker(server, worker_free);
	free(server->workers);
	listener_free(server->listener);
	engine_free(server->engine);
	throttle_free(server->throttle);
	cond_free(server->cond);
	mutex_free(server->mutex);
}

static void on_stop(void *arg)
{
	struct server *server = arg;

	mutex_lock(server->mutex);
	server->stop = true;
	cond_wake_all(server->cond);
	mutex_unlock(server->mutex);
}

static void wait_for_stop(struct server *server)
{
	mutex_lock(server->mutex);
	while (!server->stop)
		cond_wait(server->cond, server->mutex);
	mutex_unlock(server->mutex);
	log_info("server", "stopping");
}

static enum program_exit fail(const struct error *err)
{
	struct buf text;

	buf_init(&text, 2048);
	buf_put_fmt(&text, "confab-server: %s\n", err->text);
	program_write(PROGRAM_STDERR, text.ptr, text.len);
	buf_release(&text);
	return program_exit_of(err->status);
}

/* With a configuration: check it, print it, or serve. */
static enum program_exit run(struct server *server)
{
	struct tls_context *context;
	struct error err = {0};
	struct buf text;

	if (server->config.print) {
		buf_init(&text, CONFIG_FILE_MAX);
		config_print(&server->config, &text);
		print(&text);
		return EXIT_DONE;
	}
	if (load_tls(&server->config, &context, &err) != STATUS_OK) {
		/* A file that cannot be used is the certificate's fault, whatever the reason. */
		fail(&err);
		return EXIT_TLS;
	}
	server->tls = tls_slot_new(context);
	if (server->tls == NULL) {
		tls_context_unref(context);
		return EXIT_OTHER;
	}
	warn_about_files(server);
	if (server->config.check)
		return EXIT_DONE;
	server->mutex = mutex_new();
	server->cond = cond_new();
	stop_watch(on_stop, server);
	program_raise_file_limit();
	if (start(server, &err) == STATUS_OK)
		wait_for_stop(server);
	stop(server);
	if (err.status == STATUS_OK)
		log_info("server", "stopped");
	return err.status == STATUS_OK ? EXIT_DONE : fail(&err);
}

int main(int argc, char **argv)
{
	struct server server = {0};
	struct error err = {0};
	enum program_exit code;

	program_start(&argc, &argv);
	stop_install();
	if (admin_is_meant(argc, argv)) {
		code = (enum program_exit)admin_main(argc, argv);
		stop_done();
		return (int)code;
	}
	config_init(&server.config);
	if (config_load(&server.config, argc, argv, &err) != STATUS_OK) {
		fail(&err);
		code = EXIT_USAGE;
	} else if (server.config.help) {
		print_help();
		code = EXIT_DONE;
	} else if (server.config.version) {
		print_version();
		code = EXIT_DONE;
	} else {
		log_setup((enum log_level)config_number(&server.config, CONFIG_log_level),
		    config_number(&server.config, CONFIG_log_format) == 1);
		if (socket_startup(&err) != STATUS_OK || tls_startup(&err) != STATUS_OK)
			code = fail(&err);
		else
			code = run(&server);
		tls_slot_free(server.tls);
		tls_cleanup();
		socket_cleanup();
	}
	config_release(&server.config);
	stop_done();
	return (int)code;
}
