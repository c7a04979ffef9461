/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A request of a test, which counts how often it ended and keeps how. */

#ifndef TEST_JOB_H
#define TEST_JOB_H

#include "../../../servers/rumpdisk/block.h"

struct job {
    struct block_request request;
    unsigned int done;
    error_t result;
};

static void job_done(struct block_request *request, error_t err)
{
    struct job *job = (struct job *)request;
    job->done++;
    job->result = err;
}

#endif
