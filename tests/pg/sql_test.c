/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pg/conn.h"
#include "pg/embed_sql.h"

static void embedded_files_are_sorted_and_found(void **state)
{
	(void)state;
	assert_true(embed_sql_count > 5);
	for (size_t i = 0; i < embed_sql_count; i++) {
		const struct embed_file *f = &embed_sql[i];

		if (i)
			assert_true(strcmp(embed_sql[i - 1].name, f->name) < 0);
		assert_ptr_equal(embed_find(embed_sql, embed_sql_count, f->name), f);
		assert_int_equal(strlen(f->data), f->n);
	}
	assert_null(embed_find(embed_sql, embed_sql_count, "no such file"));
	assert_null(embed_find(embed_sql, 0, "migration_list.sql"));
}

static void a_statement_is_its_file(void **state)
{
	(void)state;
	assert_string_equal(sql_get("migration_list"),
	                    "SELECT version, name, hash FROM schema_migration ORDER BY version;\n");
	/* quotes, non-ASCII and digits behind them come through */
	assert_non_null(strstr(sql_get("migrations/0001_tables"),
	                       "{\"system\":\xe2\x80\xa6,\"value\":\xe2\x80\xa6"));
}

static void stage_names_are_filled_in(void **state)
{
	struct err err = {0};
	char *sql;

	(void)state;
	sql = pg_sql_stage("COPY stage.p_{stage} … {stage}{stage",
	                   "0190163d-8694-739b-aea5-966c26f8ad91", &err);
	assert_string_equal(sql, "COPY stage.p_0190163d8694739baea5966c26f8ad91 … "
	                         "0190163d8694739baea5966c26f8ad91{stage");
	free(sql);
	sql = pg_sql_stage("nothing", "0190163d-8694-739b-aea5-966c26f8ad91", &err);
	assert_string_equal(sql, "nothing");
	free(sql);
	assert_null(pg_sql_stage("{stage}", "0190163d-8694-739b-aea5-966c26f8ad9; drop", &err));
	assert_int_equal(err.code, ERR_USAGE);
	assert_null(pg_sql_stage("{stage}", NULL, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(embedded_files_are_sorted_and_found),
	    cmocka_unit_test(a_statement_is_its_file),
	    cmocka_unit_test(stage_names_are_filled_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
