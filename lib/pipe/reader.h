/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reader: requests to read that wait without a thread: who writes answers them.  Between pipe.c and reader.c. */

#ifndef PIPE_READER_H
#define PIPE_READER_H

#include "pipe.h"

/* Leaves the request that the calling thread handles, for AMOUNT bytes, with PIPE, whose lock is held.  MIG_NO_REPLY if
   it was, EINTR, or another error: the caller must wait himself. */
error_t reader_leave(struct pipe *pipe, size_t amount);

/* Gives the first reader of PIPE up to LENGTH bytes of DATA, which come before nothing else that is to be read; how
   many it took, 0 if there is no reader. Whom it answered is added to *DONE, for pipe_release.  Pipe lock held;
   never blocks. */
size_t reader_give(struct pipe *pipe, const char *data, size_t length, struct reader **done);

/* Answers the readers of PIPE from its queue while there is something in it, or with nothing at the end of the stream.
   The same. */
void readers_serve(struct pipe *pipe, struct reader **done);

#endif /* PIPE_READER_H */
