/* SPDX-License-Identifier: Apache-2.0
 *
 * aws_profile.h: keys, region and endpoint from the two files that the AWS tools share:
 * ~/.aws/credentials ([name] sections) and ~/.aws/config ([default], [profile name]). Read are
 * aws_access_key_id, aws_secret_access_key, aws_session_token, region and endpoint_url; keys in
 * either file, those of the credentials file first. Not read: credential_process, roles, sso,
 * and the address that a machine in Amazon's cloud gets its keys from.
 */
#ifndef FHIRLINE_LAND_AWS_PROFILE_H
#define FHIRLINE_LAND_AWS_PROFILE_H

#include "base/buf.h"
#include "base/err.h"

/* "" where the files say nothing. Overwrite with aws_profile_wipe(). */
struct aws_profile {
	char key_id[256], secret[256], token[4096];
	char region[64], endpoint[300];
};

/* A path of NULL or "" means the usual one in the home folder. A file that is not there is empty. A
 * profile other than "default" must be in one of the files (ERR_CONFIG); so must a value fit. */
bool aws_profile_read(const char *credentials_path, const char *config_path, const char *name,
                      struct aws_profile *out, struct err *err);
void aws_profile_wipe(struct aws_profile *p);

/* The text of one file. `*found` becomes true when the profile is there. For tests. */
bool aws_profile_parse(struct str text, bool config_file, const char *name, struct aws_profile *out,
                       bool *found, struct err *err);

#endif
