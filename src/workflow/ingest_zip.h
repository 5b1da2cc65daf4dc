/* SPDX-License-Identifier: Apache-2.0
 *
 * ingest_zip.h: the workflows. IngestZip drives a run as the local engine does: flow_plan()
 * decides, activities do. RequestZip, which schedules start, asks for a run.
 */
#ifndef FHIRLINE_WORKFLOW_INGEST_ZIP_H
#define FHIRLINE_WORKFLOW_INGEST_ZIP_H

#include "temporal/workflow.h"

#define INGEST_ZIP_WORKFLOWS 2

extern const struct temporal_workflow ingest_zip_workflows[INGEST_ZIP_WORKFLOWS];

#endif
