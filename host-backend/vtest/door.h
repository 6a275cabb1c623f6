/* SPDX-License-Identifier: MIT */
/* The door: a socket for clients, and the vGPU that they get. One thread. */
#ifndef PVGPU_VTEST_DOOR_H
#define PVGPU_VTEST_DOOR_H

#include "client.h"

#define DOOR_CLIENTS_MAX 256u

struct door {
	struct vgpu vgpu;
	int listener;
	int signals;			/* a signalfd: the end */
	uint32_t clients_max;
	struct client *clients;
	uint32_t count;
};

/* Connects the vGPU and attaches; logs what fails. */
int door_open(struct door *door, const char *vgpu_socket);
/* Serves until it is told to end (0), or cannot go on (-errno, logged). */
int door_serve(struct door *door);
void door_close(struct door *door);

#endif
