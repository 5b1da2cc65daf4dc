/* SPDX-License-Identifier: Apache-2.0
 *
 * handlers.h: what routes.c calls. A handler finds checked parameters in the request and answers
 * it, now or from a callback (request.h).
 */
#ifndef FHIRLINE_API_HANDLERS_H
#define FHIRLINE_API_HANDLERS_H

struct request;

/* patients.c */
void patients_get(struct request *r);
void patients_list(struct request *r);
void patients_by_first_name(struct request *r);

/* observations.c */
void observations_get(struct request *r);
void observations_list(struct request *r);

/* zipcodes.c */
void zipcodes_create(struct request *r);
void zipcodes_list(struct request *r);
void zipcodes_get(struct request *r);

/* runs.c */
void runs_list(struct request *r);
void runs_get(struct request *r);
void runs_cancel(struct request *r);
void runs_retry(struct request *r);
void runs_rejected(struct request *r);

/* events.c */
void runs_events(struct request *r);

/* operation.c */
void health_live(struct request *r);
void health_ready(struct request *r);
void metrics_get(struct request *r);
void openapi_get(struct request *r);
void page_get(struct request *r);

#endif
