/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where unpredictable bits come from on this machine.  */

#ifndef RANDOM_SOURCE_H
#define RANDOM_SOURCE_H

#include "generator.h"

/* Stirs enough in to begin with: the processor's own generator if it has one (RDSEED, else RDRAND), the jitter of its
   time stamp counter over switches and memory accesses, and what differs between boots (clock, counters, names). */
void source_seed(struct generator *generator);

/* A little more of the same; cheap enough to be done now and then while serving. */
void source_refresh(struct generator *generator);

#endif /* RANDOM_SOURCE_H */
