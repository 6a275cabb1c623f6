// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The portable guest side of the protocol, compiled into the module as it is,
 * from here, so that no object file is made outside this directory.
 */
#include "../protocol/client/client.c"
