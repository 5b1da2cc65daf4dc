/* SPDX-License-Identifier: Apache-2.0
 *
 * manifest.h (flow): writes a run's manifest into the landing zone when it ends (land/manifest.h
 * has its form).
 */
#ifndef FHIRLINE_FLOW_MANIFEST_H
#define FHIRLINE_FLOW_MANIFEST_H

#include "flow/internal.h"

/* Writes the run's fates, then the manifest, which lists the run's objects from its batches.
 * `whole`: the watermark moves on with this run. Replaces an earlier one: writing it again is
 * harmless.
 */
bool flow_manifest_write(struct flow_work *w, const struct flow_run *run,
                         const struct flow_run_view *view, const char *words, const char *state,
                         bool whole, struct err *err);

#endif
