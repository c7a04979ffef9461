/* SPDX-License-Identifier: GPL-2.0-or-later */
/* random: the translator of /dev/random and /dev/urandom.

       random [--random|--urandom]

   Both are the same: reading gives unpredictable bytes and never blocks, because the generator is seeded before the
   first reader is served.  Writing stirs the bytes in (a seed kept from the last boot, say).  */

#include "generator.h"
#include "source.h"

#include <error.h>
#include <fcntl.h>
#include <hurd/hurd_types.h>
#include <string.h>
#include <trivfs/trivfs.h>

enum {
    READ_MAX = 1 << 20,      /* bytes that one read gives */
    LITTLE = 512,            /* so few are made with the lock held, which costs less than a generator of the reader's
                                own */
    REFRESH_BYTES = 1 << 20, /* given out between two looks at the sources */
};

/* The C library asks this of itself before it opens /dev/urandom: a program that is to serve it must not wait for
   it. */
extern const char *__trivfs_server_name;
const char *__trivfs_server_name = "random";

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct generator generator; /* lock */
static size_t since_refresh;       /* lock */

static error_t random_read(struct trivfs_protid *protid, off_t offset, size_t amount, struct trivfs_buffer *buffer)
{
    struct generator own;
    (void)protid, (void)offset;
    if (amount > READ_MAX)
        amount = READ_MAX;
    error_t err = trivfs_buffer_reserve(buffer, amount);
    if (err)
        return err;

    pthread_mutex_lock(&lock);
    since_refresh += amount;
    if (since_refresh >= REFRESH_BYTES) {
        source_refresh(&generator);
        since_refresh = 0;
    }
    bool little = amount <= LITTLE;
    if (little)
        generator_read(&generator, buffer->data, amount);
    else
        generator_fork(&generator, &own);
    pthread_mutex_unlock(&lock);

    if (!little) {
        generator_read(&own, buffer->data, amount);
        generator_erase(&own);
    }
    buffer->length = amount;
    return 0;
}

static error_t random_write(struct trivfs_protid *protid, off_t offset, const void *data, size_t length, size_t *amount)
{
    (void)protid, (void)offset;
    pthread_mutex_lock(&lock);
    generator_stir(&generator, data, length);
    pthread_mutex_unlock(&lock);
    *amount = length;
    return 0;
}

static error_t random_readable(struct trivfs_protid *protid, size_t *amount)
{
    (void)protid;
    *amount = READ_MAX;
    return 0;
}

static const struct trivfs_ops random_ops = {
    .name = "random", .fstype = FSTYPE_DEV, .modes = O_READ | O_WRITE, .node_type = S_IFCHR,
    .read = random_read, .write = random_write, .readable = random_readable,
};

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--random") != 0 && strcmp(argv[i], "--urandom") != 0)
            error(2, 0, "unknown argument: %s", argv[i]);
    generator_init(&generator);
    source_seed(&generator);
    trivfs_main(&random_ops, NULL, 0);
}
