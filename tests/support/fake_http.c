/* SPDX-License-Identifier: Apache-2.0 */
#include "support/fake_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define MUST(x)                                                                                    \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			fprintf(stderr, "fake_http: %s failed: %s\n", #x, strerror(errno));        \
			exit(99);                                                                  \
		}                                                                                  \
	} while (0)

enum { HEAD_MAX = 256 << 10 };

struct conn {
	struct fake *f;
	pthread_t thread;
	int fd, number;
	SSL *ssl;
	bool open;
	char *in; /* bytes read and not yet used */
	size_t in_n;
	struct conn *next;
};

struct fake {
	fake_handler handler;
	void *ctx;
	int listener, stop_pipe[2];
	char url[64], ca_file[64];
	SSL_CTX *tls;
	pthread_t thread;
	pthread_mutex_t lock;
	struct conn *conns;
	int connections, requests;
};

/* ---- bytes ---- */

static ssize_t conn_read(struct conn *c, void *p, size_t n)
{
	return c->ssl ? SSL_read(c->ssl, p, (int)n) : recv(c->fd, p, n, 0);
}

void fake_send(struct fake_request *r, const void *p, size_t n)
{
	struct conn *c = r->private;
	const char *at = p;
	ssize_t sent;

	while (n && c->open) {
		sent = c->ssl ? SSL_write(c->ssl, at, (int)n) : send(c->fd, at, n, MSG_NOSIGNAL);
		if (sent <= 0) {
			c->open = false;
			return;
		}
		at += sent;
		n -= (size_t)sent;
	}
}

void fake_sendf(struct fake_request *r, const char *fmt, ...)
{
	char *text;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	MUST(n >= 0);
	fake_send(r, text, (size_t)n);
	free(text);
}

void fake_reply(struct fake_request *r, int status, const char *headers, const void *body, size_t n)
{
	fake_sendf(r, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n", status, n, headers);
	if (strcmp(r->method, "HEAD") != 0)
		fake_send(r, body, n);
}

void fake_reply_text(struct fake_request *r, int status, const char *headers, const char *body)
{
	fake_reply(r, status, headers, body, strlen(body));
}

void fake_reset(struct fake_request *r)
{
	struct conn *c = r->private;
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	c->open = false;
}

bool fake_sleep(struct fake_request *r, int ms)
{
	struct conn *c = r->private;
	struct pollfd fds[2] = {{.fd = c->fd, .events = POLLIN},
	                        {.fd = c->f->stop_pipe[0], .events = POLLIN}};

	if (c->open && poll(fds, 2, ms) != 0)
		c->open = false;
	return c->open;
}

void fake_hang(struct fake_request *r)
{
	while (fake_sleep(r, 60 * 1000))
		;
}

/* ---- requests ---- */

bool fake_header(const struct fake_request *r, const char *name, char *out, size_t size)
{
	size_t n = strlen(name);

	for (const char *p = strstr(r->head, "\r\n"); p; p = strstr(p, "\r\n")) {
		p += 2;
		if (strncasecmp(p, name, n) == 0 && p[n] == ':') {
			p += n + 1 + strspn(p + n + 1, " ");
			snprintf(out, size, "%.*s", (int)strcspn(p, "\r"), p);
			return true;
		}
	}
	return false;
}

static bool fill(struct conn *c, size_t want)
{
	ssize_t n;

	while (c->in_n < want) {
		n = conn_read(c, c->in + c->in_n, HEAD_MAX - c->in_n);
		if (n <= 0)
			return false;
		c->in_n += (size_t)n;
		c->in[c->in_n] = '\0';
	}
	return true;
}

static void drop(struct conn *c, size_t n)
{
	memmove(c->in, c->in + n, c->in_n - n + 1);
	c->in_n -= n;
}

static bool read_request(struct conn *c, struct fake_request *r)
{
	char *end, length[32];
	size_t head, body = 0, got;

	while (!(end = strstr(c->in, "\r\n\r\n"))) {
		if (!fill(c, c->in_n + 1))
			return false;
		if (!c->ssl &&
		    c->in[0] == 0x16) { /* TLS to a plain port: answer as web servers do */
			fake_sendf(r, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
			return false;
		}
	}
	head = (size_t)(end - c->in) + 4;
	r->head = strndup(c->in, head);
	MUST(sscanf(r->head, "%15s %16383s", r->method, r->target) == 2);
	drop(c, head);
	if (fake_header(r, "Content-Length", length, sizeof length))
		body = strtoul(length, NULL, 10);
	r->body = calloc(1, body + 1);
	while (r->body_n < body) {
		got = c->in_n < body - r->body_n ? c->in_n : body - r->body_n;
		memcpy(r->body + r->body_n, c->in, got);
		r->body_n += got;
		drop(c, got);
		if (r->body_n < body && !fill(c, 1))
			return false;
	}
	return true;
}

static void *conn_run(void *ctx)
{
	struct conn *c = ctx;
	struct fake_request *r;
	bool more = !c->ssl || SSL_accept(c->ssl) == 1;

	for (int nth = 1; more; nth++) {
		r = calloc(1, sizeof *r);
		MUST(r);
		*r = (struct fake_request){.connection = c->number, .nth = nth, .private = c};
		more = read_request(c, r);
		if (more) {
			pthread_mutex_lock(&c->f->lock);
			c->f->requests++;
			pthread_mutex_unlock(&c->f->lock);
			c->f->handler(c->f, r, c->f->ctx);
			more = c->open && !r->close;
		}
		free(r->head);
		free(r->body);
		free(r);
	}
	pthread_mutex_lock(&c->f->lock);
	if (c->ssl)
		SSL_free(c->ssl);
	close(c->fd);
	c->fd = -1;
	pthread_mutex_unlock(&c->f->lock);
	return NULL;
}

static void accept_one(struct fake *f)
{
	struct conn *c = calloc(1, sizeof *c);

	MUST(c);
	c->fd = accept(f->listener, NULL, NULL);
	if (c->fd < 0) {
		free(c);
		return;
	}
	c->f = f;
	c->open = true;
	c->in = calloc(1, HEAD_MAX + 1);
	MUST(c->in);
	if (f->tls) {
		c->ssl = SSL_new(f->tls);
		SSL_set_fd(c->ssl, c->fd);
	}
	pthread_mutex_lock(&f->lock);
	c->number = ++f->connections;
	c->next = f->conns;
	f->conns = c;
	pthread_mutex_unlock(&f->lock);
	MUST(pthread_create(&c->thread, NULL, conn_run, c) == 0);
}

static void *accept_run(void *ctx)
{
	struct fake *f = ctx;
	struct pollfd fds[2] = {{.fd = f->listener, .events = POLLIN},
	                        {.fd = f->stop_pipe[0], .events = POLLIN}};

	while (poll(fds, 2, -1) >= 0 && !fds[1].revents)
		if (fds[0].revents)
			accept_one(f);
	return NULL;
}

/* ---- TLS: a self-signed certificate for 127.0.0.1, made on the spot ---- */

static void tls_init(struct fake *f)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);
	X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
	FILE *out;
	int fd;

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"fake", -1, -1,
	                           0);
	X509_set_issuer_name(cert, name);
	X509_set_pubkey(cert, key);
	X509_add_ext(cert, san, -1);
	MUST(X509_sign(cert, key, EVP_sha256()) > 0);
	snprintf(f->ca_file, sizeof f->ca_file, "/tmp/fhirline-test-ca-XXXXXX");
	fd = mkstemp(f->ca_file);
	MUST(fd >= 0);
	out = fdopen(fd, "w");
	MUST(out && PEM_write_X509(out, cert));
	fclose(out);
	f->tls = SSL_CTX_new(TLS_server_method());
	MUST(SSL_CTX_use_certificate(f->tls, cert) == 1 &&
	     SSL_CTX_use_PrivateKey(f->tls, key) == 1);
	X509_EXTENSION_free(san);
	X509_free(cert);
	EVP_PKEY_free(key);
}

struct fake *fake_start(fake_handler handler, void *ctx, bool tls)
{
	struct fake *f = calloc(1, sizeof *f);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof a;

	MUST(f);
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN},
	          NULL); /* OpenSSL writes without MSG_NOSIGNAL */
	f->handler = handler;
	f->ctx = ctx;
	f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	MUST(f->listener >= 0 && bind(f->listener, (struct sockaddr *)&a, n) == 0 &&
	     listen(f->listener, 128) == 0);
	MUST(getsockname(f->listener, (struct sockaddr *)&a, &n) == 0 && pipe(f->stop_pipe) == 0);
	snprintf(f->url, sizeof f->url, "%s://127.0.0.1:%d", tls ? "https" : "http",
	         ntohs(a.sin_port));
	if (tls)
		tls_init(f);
	pthread_mutex_init(&f->lock, NULL);
	MUST(pthread_create(&f->thread, NULL, accept_run, f) == 0);
	return f;
}

void fake_stop(struct fake *f)
{
	struct conn *c, *next;

	if (!f)
		return;
	MUST(write(f->stop_pipe[1], "x", 1) == 1);
	pthread_join(f->thread, NULL);
	pthread_mutex_lock(&f->lock);
	for (c = f->conns; c; c = c->next)
		if (c->fd >= 0)
			shutdown(c->fd, SHUT_RDWR);
	pthread_mutex_unlock(&f->lock);
	for (c = f->conns; c; c = next) {
		next = c->next;
		pthread_join(c->thread, NULL);
		free(c->in);
		free(c);
	}
	close(f->listener);
	close(f->stop_pipe[0]);
	close(f->stop_pipe[1]);
	SSL_CTX_free(f->tls);
	if (f->ca_file[0])
		unlink(f->ca_file);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

const char *fake_url(const struct fake *f)
{
	return f->url;
}

const char *fake_ca_file(const struct fake *f)
{
	return f->ca_file;
}

static int locked(struct fake *f, const int *v)
{
	int n;

	pthread_mutex_lock(&f->lock);
	n = *v;
	pthread_mutex_unlock(&f->lock);
	return n;
}

int fake_connections(struct fake *f)
{
	return locked(f, &f->connections);
}

int fake_requests(struct fake *f)
{
	return locked(f, &f->requests);
}
