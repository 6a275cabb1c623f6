/* SPDX-License-Identifier: MIT */
/*
 * The figures of all vGPUs as Prometheus reads them: text, version 0.0.4, at
 * the address of the configuration (`metrics`), path /metrics.
 */
#ifndef PVGPU_METRICS_H
#define PVGPU_METRICS_H

struct manager;

/* Serves at m->config.metrics, and no more at where it did before. 0; or
 * -errno, logged, and it is served where it was. */
int metrics_open(struct manager *m);
void metrics_close(struct manager *m);

#endif
