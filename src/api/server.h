/* SPDX-License-Identifier: Apache-2.0
 *
 * server.h: the inside of struct api, for request.c, the handlers that need it and server.c.
 */
#ifndef FHIRLINE_API_SERVER_H
#define FHIRLINE_API_SERVER_H

#include <openssl/evp.h>

#include "api/api.h"
#include "api/cursor.h"
#include "api/events.h"
#include "api/loop.h"
#include "api/request.h"

struct api {
	struct api_options options;
	struct arena arena; /* for its whole life: statements */
	struct pool_statement statements[STATEMENTS];
	struct MHD_Daemon *daemon;
	struct pool *pool;
	struct events *events;
	struct metrics *metrics;
	struct buf openapi;
	int epoll_fd, stop_fd, listen_fd;
	struct loop_source daemon_source, stop_source, outer_stop_source;
	char url[96];
	bool stopping;
	bool resumed; /* a connection was resumed: libmicrohttpd must run again at once */
	int active;   /* requests begun and not completed */
	struct request *free_requests;
	int free_count;
	EVP_MD *sha256;
	EVP_MD_CTX *digest;
	uint64_t id_prefix, id_next; /* of request ids */

	/* the cursor key, read when the database is there */
	bool has_key, asking_key;
	unsigned char key[CURSOR_KEY];
	struct pool_op key_op;
	int64_t key_due_ms;

	/* counts of runs for metrics, at most every few seconds */
	struct pool_op counts_op;
	bool asking_counts;
	int64_t counts_at_ms;
	struct {
		char state[16];
		int64_t count;
	} counts[8];
	int count_states;
};

/* A run was asked for: whoever works on runs here looks now. */
void api_wake_engine(struct api *a);

/* An answer came outside of a handler: the connection goes on. */
void server_resume(struct api *a, struct MHD_Connection *c);

static inline int64_t server_now_ms(const struct api *a)
{
	return clock_mono_ms(a->options.clock);
}

#endif
