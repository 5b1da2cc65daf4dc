/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/database.h"

#include <string.h>

#include "land/aws_profile.h"
#include "land/s3.h"

static const char *first(const char *a, const char *b)
{
	return *a ? a : b;
}

bool landing_in_s3(const char *url)
{
	return strncmp(url, "s3://", 5) == 0;
}

/* Keys come in one piece: those of the settings, or those of the profile. */
static void take_keys(const struct config *config, const struct aws_profile *profile,
                      struct land_s3_options *s3)
{
	bool given = config_is_set(config, OPT_S3_ACCESS_KEY_ID) ||
	             config_is_set(config, OPT_S3_SECRET_ACCESS_KEY);

	s3->key_id = given ? config_str(config, OPT_S3_ACCESS_KEY_ID) : profile->key_id;
	s3->secret = given ? config_str(config, OPT_S3_SECRET_ACCESS_KEY) : profile->secret;
	s3->session_token = given ? config_str(config, OPT_S3_SESSION_TOKEN) : profile->token;
}

static struct land *open_s3(const struct config *config, const char *url, struct err *err)
{
	struct land_s3_options s3 = {.ca_file = config_str(config, OPT_S3_CA_FILE),
	                             .part_size = config_bytes(config, OPT_S3_PART_SIZE)};
	struct aws_profile profile;
	struct land *land;

	if (!aws_profile_read(config_str(config, OPT_S3_CREDENTIALS_FILE),
	                      config_str(config, OPT_S3_CONFIG_FILE),
	                      config_str(config, OPT_S3_PROFILE), &profile, err))
		return NULL;
	take_keys(config, &profile, &s3);
	s3.endpoint = first(config_str(config, OPT_S3_ENDPOINT), profile.endpoint);
	s3.region = first(config_str(config, OPT_S3_REGION), profile.region);
	s3.addressing = config_is(config, OPT_S3_ADDRESSING, "path")      ? LAND_S3_PATH
	                : config_is(config, OPT_S3_ADDRESSING, "virtual") ? LAND_S3_VIRTUAL
	                                                                  : LAND_S3_AUTO;
	land = land_open(url, &s3, err);
	aws_profile_wipe(&profile);
	return land;
}

struct land *landing_open_at(const struct config *config, const char *url, struct err *err)
{
	return landing_in_s3(url) ? open_s3(config, url, err) : land_open(url, NULL, err);
}

struct land *landing_open(const struct config *config, struct err *err)
{
	return landing_open_at(config, config_str(config, OPT_LANDING_URL), err);
}
