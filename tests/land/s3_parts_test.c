/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "land/aws_profile.h"
#include "land/s3_client.h"
#include "land/s3_xml.h"

static struct aws_profile profile;
static struct err err;

static bool parse(const char *text, bool config_file, const char *name)
{
	bool found = false;

	memset(&profile, 0, sizeof profile);
	assert_true(aws_profile_parse(str_of(text), config_file, name, &profile, &found, &err));
	return found;
}

static void credentials(void **state)
{
	static const char text[] = "# keys\n"
	                           "[default]\n"
	                           "aws_access_key_id = A1\n"
	                           "aws_secret_access_key=s/e=c+r\n"
	                           "\r\n"
	                           "[ lab ]\n"
	                           "aws_access_key_id=B2\n"
	                           "aws_session_token = t0k\r\n"
	                           "unknown = x\n"
	                           "no equals sign";

	(void)state;
	assert_true(parse(text, false, "default"));
	assert_string_equal(profile.key_id, "A1");
	assert_string_equal(profile.secret, "s/e=c+r");
	assert_string_equal(profile.token, "");
	assert_true(parse(text, false, "lab"));
	assert_string_equal(profile.key_id, "B2");
	assert_string_equal(profile.secret, "");
	assert_string_equal(profile.token, "t0k");
	assert_false(parse(text, false, "other"));
	assert_string_equal(profile.key_id, "");
}

static void config_file(void **state)
{
	static const char text[] = "[default]\n"
	                           "region = eu-north-1\n"
	                           "s3 =\n"
	                           "  region = not-this\n"
	                           "[profile lab]\n"
	                           "endpoint_url = http://127.0.0.1:9000\n"
	                           "region=us-west-2\n"
	                           "[lab]\n"
	                           "region = not-that\n"
	                           "[services lab]\n"
	                           "region = nor-that\n";

	(void)state;
	assert_true(parse(text, true, "default"));
	assert_string_equal(profile.region, "eu-north-1");
	assert_true(parse(text, true, "lab"));
	assert_string_equal(profile.region, "us-west-2");
	assert_string_equal(profile.endpoint, "http://127.0.0.1:9000");
}

static void what_does_not_fit_is_told(void **state)
{
	char text[600];
	bool found = false;

	(void)state;
	snprintf(text, sizeof text, "[default]\nregion=%0400d\n", 1);
	memset(&profile, 0, sizeof profile);
	assert_false(aws_profile_parse(str_of(text), true, "default", &profile, &found, &err));
	assert_int_equal(err.code, ERR_CONFIG);
	assert_non_null(strstr(err.text, "region"));
}

static void files_that_are_not_there(void **state)
{
	(void)state;
	assert_true(
	    aws_profile_read("/nonexistent/a", "/nonexistent/b", "default", &profile, &err));
	assert_string_equal(profile.key_id, "");
	assert_false(aws_profile_read("/nonexistent/a", "/nonexistent/b", "lab", &profile, &err));
	assert_int_equal(err.code, ERR_CONFIG);
	assert_non_null(strstr(err.text, "\"lab\""));
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void keys_come_from_one_file(void **state)
{
	char credentials[] = "/tmp/fhirline-aws-XXXXXX", config[] = "/tmp/fhirline-aws-XXXXXX";

	(void)state;
	close(mkstemp(credentials));
	close(mkstemp(config));
	write_file(config, "[default]\naws_access_key_id=OTHER\naws_secret_access_key=other\n"
	                   "aws_session_token=other\nregion=eu-north-1\n");
	write_file(credentials, "[default]\naws_access_key_id=A1\naws_secret_access_key=s1\n");
	assert_true(aws_profile_read(credentials, config, "default", &profile, &err));
	assert_string_equal(profile.key_id, "A1");
	assert_string_equal(profile.secret, "s1");
	assert_string_equal(profile.token, "");
	assert_string_equal(profile.region, "eu-north-1");
	write_file(credentials, "[default]\nregion=us-west-2\n");
	assert_true(aws_profile_read(credentials, config, "default", &profile, &err));
	assert_string_equal(profile.key_id, "OTHER");
	assert_string_equal(profile.token, "other");
	assert_string_equal(profile.region, "us-west-2");
	unlink(credentials);
	unlink(config);
}

static void paths_are_encoded(void **state)
{
	struct buf b = BUF_INIT(1000);

	(void)state;
	assert_true(s3_encode_path(&b, STR("zip=02139/a b+c~d_e-f.g/\xc3\xa9?#")));
	assert_string_equal(b.p, "zip%3D02139/a%20b%2Bc~d_e-f.g/%C3%A9%3F%23");
	buf_free(&b);
}

static void hashes(void **state)
{
	char base64[S3_SHA_BASE64], hex[HASH_HEX];

	(void)state;
	assert_true(s3_hash(STR("abc"), base64, hex));
	assert_string_equal(base64, "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
	assert_string_equal(hex,
	                    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_true(s3_hash(STR_NONE, base64, hex));
	assert_string_equal(hex,
	                    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static bool collect(void *ctx, const char *parent, const char *name, const char *text)
{
	struct buf *b = ctx;

	buf_printf(b, "%s/%s=%s;", parent, name, text);
	return strcmp(name, "Stop") != 0;
}

static void xml(void **state)
{
	static const char *const bad[] = {
	    "", "<a>", "text", "<a></b>", "<a>&other;</a>", "<a><Stop/></a>",
	    /* refused at their start, and then told to have ended */
	    "<a_root_whose_name_is_longer_than_what_is_kept_of_the_names_of_elements/>",
	    "<a><Stop/><b/></a>", "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;"};
	struct buf b = BUF_INIT(1 << 20);
	struct buf deep = BUF_INIT(1 << 20);

	(void)state;
	assert_true(s3_xml_read(STR("<?xml version='1.0'?><A xmlns='u'>\n <B><Key>a&amp;b</Key>"
	                            "<Size>1</Size></B>\n<C/></A>"),
	                        collect, &b));
	assert_string_equal(b.p, "B/Key=a&b;B/Size=1;A/B=;A/C=;/A=;");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(s3_xml_read(str_of(bad[i]), collect, &b));
	for (int i = 0; i < 20; i++)
		buf_lit(&deep, "<a>");
	for (int i = 0; i < 20; i++)
		buf_lit(&deep, "</a>");
	assert_false(s3_xml_read((struct str){deep.p, deep.n}, collect, &b));
	buf_clear(&deep);
	buf_lit(&deep, "<a>");
	for (int i = 0; i < S3_XML_TEXT; i++)
		buf_add_char(&deep, 'x');
	buf_lit(&deep, "</a>");
	assert_false(s3_xml_read((struct str){deep.p, deep.n}, collect, &b));
	buf_free(&deep);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(credentials),
	    cmocka_unit_test(config_file),
	    cmocka_unit_test(what_does_not_fit_is_told),
	    cmocka_unit_test(files_that_are_not_there),
	    cmocka_unit_test(keys_come_from_one_file),
	    cmocka_unit_test(paths_are_encoded),
	    cmocka_unit_test(hashes),
	    cmocka_unit_test(xml),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
