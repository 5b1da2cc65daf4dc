/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <zlib.h>

#include "api/encode.h"

static void gzip_is_used_when_asked_for(void **state)
{
	(void)state;
	assert_true(encode_accepts_gzip(STR("gzip")));
	assert_true(encode_accepts_gzip(STR("br, GZIP;q=0.5")));
	assert_true(encode_accepts_gzip(STR("*")));
	assert_false(encode_accepts_gzip(STR("gzip;q=0")));
	assert_false(encode_accepts_gzip(STR("gzip; q=0.000")));
	assert_false(encode_accepts_gzip(STR("br, deflate")));
	assert_false(encode_accepts_gzip(STR("xgzip")));
	assert_false(encode_accepts_gzip(STR("")));
	assert_false(encode_accepts_gzip(STR_NONE));
}

static void gzip_comes_back(void **state)
{
	struct buf in = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
	unsigned char back[1 << 17];
	z_stream z = {0};

	(void)state;
	for (int i = 0; i < 10000; i++)
		buf_printf(&in, "%d,", i);
	assert_true(encode_gzip((struct str){in.p, in.n}, &out));
	assert_true(out.n < in.n);
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	z.next_in = (Bytef *)out.p;
	z.avail_in = (uInt)out.n;
	z.next_out = back;
	z.avail_out = sizeof back;
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.total_out, in.n);
	assert_memory_equal(back, in.p, in.n);
	inflateEnd(&z);
	buf_free(&in);
	buf_free(&out);
}

static void tags_depend_on_the_body(void **state)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	char a[ENCODE_ETAG], b[ENCODE_ETAG];

	(void)state;
	/* SHA-256 of "abc", FIPS 180-2 appendix B.1 */
	encode_etag(EVP_sha256(), ctx, STR("abc"), a);
	assert_string_equal(a, "\"ba7816bf8f01cfea414140de5dae2223\"");
	encode_etag(EVP_sha256(), ctx, STR("abd"), b);
	assert_string_not_equal(a, b);
	EVP_MD_CTX_free(ctx);
}

static void if_none_match_is_read(void **state)
{
	(void)state;
	assert_true(encode_matches(STR("\"x1\""), "\"x1\""));
	assert_true(encode_matches(STR("W/\"x1\""), "\"x1\""));
	assert_true(encode_matches(STR("\"a\" , \"x1\""), "\"x1\""));
	assert_true(encode_matches(STR("\"x1-gzip\""), "\"x1\""));
	assert_true(encode_matches(STR("*"), "\"x1\""));
	assert_false(encode_matches(STR("\"x2\""), "\"x1\""));
	assert_false(encode_matches(STR("x1"), "\"x1\""));
	assert_false(encode_matches(STR(""), "\"x1\""));
	assert_false(encode_matches(STR_NONE, "\"x1\""));
	assert_false(encode_matches(STR("*"), ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(gzip_is_used_when_asked_for),
	    cmocka_unit_test(gzip_comes_back),
	    cmocka_unit_test(tags_depend_on_the_body),
	    cmocka_unit_test(if_none_match_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
