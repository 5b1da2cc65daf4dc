/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "flow/owner.h"

static void we_are_alive(void **state)
{
	char name[OWNER_TEXT];

	(void)state;
	flow_owner_name(name);
	assert_false(flow_owner_is_dead(str_of(name)));
}

/* A child's name, and the child: it waits until the pipe is closed. */
static pid_t child(char name[OWNER_TEXT], int *release)
{
	int in[2], out[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	pid = fork();
	if (pid == 0) {
		close(in[1]);
		flow_owner_name(name);
		_exit(write(out[1], name, OWNER_TEXT) == OWNER_TEXT && read(in[0], &c, 1) >= 0 ? 0
		                                                                               : 1);
	}
	assert_int_equal(read(out[0], name, OWNER_TEXT), OWNER_TEXT);
	close(in[0]);
	close(out[0]);
	close(out[1]);
	*release = in[1];
	return pid;
}

static void a_child_is_alive_until_it_has_ended(void **state)
{
	char name[OWNER_TEXT];
	int release, status;
	pid_t pid = child(name, &release);

	(void)state;
	assert_false(flow_owner_is_dead(str_of(name)));
	close(release);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(flow_owner_is_dead(str_of(name)));
}

static void what_cannot_be_known_is_not_dead(void **state)
{
	char name[OWNER_TEXT], other[OWNER_TEXT + 8];

	(void)state;
	flow_owner_name(name);
	snprintf(other, sizeof other, "x%s", name); /* another host */
	assert_false(flow_owner_is_dead(str_of(other)));
	assert_false(flow_owner_is_dead(STR("")));
	assert_false(flow_owner_is_dead(STR("elsewhere:17")));
}

static void a_number_that_was_used_again_is_another_process(void **state)
{
	char name[OWNER_TEXT], *ticks;

	(void)state;
	flow_owner_name(name);
	ticks = strrchr(name, '/');
	snprintf(ticks, OWNER_TEXT - (size_t)(ticks - name), "/1");
	assert_true(flow_owner_is_dead(str_of(name)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(we_are_alive),
	    cmocka_unit_test(a_child_is_alive_until_it_has_ended),
	    cmocka_unit_test(what_cannot_be_known_is_not_dead),
	    cmocka_unit_test(a_number_that_was_used_again_is_another_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
