/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/hand.h"

void hand_init(struct hand *h)
{
	*h = (struct hand){.conn = NULL};
	pthread_mutex_init(&h->lock, NULL);
}

void hand_destroy(struct hand *h)
{
	pthread_mutex_destroy(&h->lock);
}

void hand_take(struct hand *h, struct pg_conn *conn, struct flow_run *run)
{
	pthread_mutex_lock(&h->lock);
	h->conn = conn;
	h->run = run;
	pthread_mutex_unlock(&h->lock);
}

void hand_put(struct hand *h)
{
	hand_take(h, NULL, NULL);
}

void hand_interrupt(struct hand *h)
{
	pthread_mutex_lock(&h->lock);
	if (h->conn && atomic_load(&h->run->stop))
		pg_conn_cancel(h->conn);
	pthread_mutex_unlock(&h->lock);
}
