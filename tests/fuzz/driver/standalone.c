/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a fuzz target without libFuzzer: every input of the folders given, then mutations of them in an order that the
   seed fixes.

       PROGRAM [-s SECONDS] [-n COUNT] [-m MAX] [-r SEED] [-o FILE] [FOLDER | FILE]...

   SECONDS of processor time and COUNT (default 20,000) end the mutations, whichever is first; MAX bytes is the longest
   input.  An input that crashes the target, or takes more than HANG_SECONDS of processor time, is left in FILE.  Prints
   one line with figures; exit status 0 if all went well.  */

#include <dirent.h>
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HANG_SECONDS = 60, STEPS_MAX = 8 };

struct input { uint8_t *data; size_t size; };

static struct input *inputs;
static size_t input_count, max_size = 4096;
static uint8_t *current;      /* the bytes of the run in progress, MAX_SIZE of room */
static size_t current_size;
static const char *failed_path = "failed";
static uint64_t state = 0x9e3779b97f4a7c15;

static uint64_t random_next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static size_t below(size_t limit)
{
    return limit ? random_next() % limit : 0;
}

/* ---- inputs -------------------------------------------------------------------- */

static void input_add(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct input input = { malloc(max_size), 0 };
    if (!file || !input.data) {
        perror(path);
        exit(2);
    }
    input.size = fread(input.data, 1, max_size, file);
    fclose(file);
    inputs = realloc(inputs, (input_count + 1) * sizeof *inputs);
    inputs[input_count++] = input;
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void path_add(const char *path)
{
    struct stat st;
    struct dirent **names;
    char name[4096];
    if (stat(path, &st) != 0) {
        perror(path);
        exit(2);
    }
    if (!S_ISDIR(st.st_mode)) {
        input_add(path);
        return;
    }
    int count = scandir(path, &names, not_hidden, alphasort);
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%s/%s", path, names[i]->d_name);
        input_add(name);
        free(names[i]);
    }
    free(names);
}

/* ---- mutations of `current` ------------------------------------------------------ */

static void mutate_number(void)
{
    static const uint64_t values[] = {0,
                                      1,
                                      2,
                                      7,
                                      8,
                                      0x7f,
                                      0x80,
                                      0xff,
                                      0x100,
                                      0x7fff,
                                      0x8000,
                                      0xffff,
                                      0x10000,
                                      0x7fffffff,
                                      0x80000000,
                                      0xffffffff,
                                      0x100000000,
                                      0x7fffffffffffffff,
                                      0x8000000000000000,
                                      ~0ull};
    size_t width = (size_t)1 << below(4);
    if (current_size < width)
        return;
    uint64_t value = below(4) ? values[below(sizeof values / sizeof values[0])] : random_next();
    memcpy(current + below(current_size - width + 1), &value, width);
}

static void mutate_length(void)
{
    size_t at = below(current_size + 1), length = 1 + below(32);
    if (below(2) && current_size + length <= max_size) {
        memmove(current + at + length, current + at, current_size - at);
        for (size_t i = 0; i < length; i++)
            current[at + i] = random_next();
        current_size += length;
    } else if (at + length <= current_size) {
        memmove(current + at, current + at + length, current_size - at - length);
        current_size -= length;
    }
}

static void mutate_copy(void)
{
    const struct input *other = &inputs[below(input_count)];
    size_t length = 1 + below(below(2) ? 16 : 512), from = below(other->size), to = below(current_size + 1);
    if (from + length > other->size || to + length > max_size)
        return;
    memcpy(current + to, other->data + from, length);
    if (to + length > current_size)
        current_size = to + length;
}

static void mutate(void)
{
    for (size_t step = 1 + below(STEPS_MAX); step; step--)
        switch (below(8)) {
        case 0: mutate_length(); break;
        case 1: mutate_copy(); break;
        case 2: case 3: mutate_number(); break;
        case 4: current_size = below(64) ? current_size : below(current_size + 1); break;
        default:
            if (current_size)
                current[below(current_size)] ^= 1 << below(8);
        }
}

/* ---- running --------------------------------------------------------------------- */

static void failed_write(void)
{
    FILE *file = fopen(failed_path, "wb");
    if (file) {
        fwrite(current, 1, current_size, file);
        fclose(file);
    }
}

static void hang(int signal)
{
    (void)signal;
    static const char text[] = "an input takes longer than the limit\n";
    failed_write();
    (void)!write(2, text, sizeof text - 1);
    _exit(3);
}

static void aborted(int signal_number)
{
    failed_write();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void run_current(void)
{
    struct itimerval limit = { .it_value.tv_sec = HANG_SECONDS }, off = { 0 };
    uint8_t *exact = malloc(current_size ? current_size : 1); /* so that reading one byte too far is seen */
    memcpy(exact, current, current_size);
    setitimer(ITIMER_PROF, &limit, NULL);
    LLVMFuzzerTestOneInput(exact, current_size);
    setitimer(ITIMER_PROF, &off, NULL);
    free(exact);
}

static void take(size_t which)
{
    current_size = inputs[which].size;
    memcpy(current, inputs[which].data, current_size);
}

int main(int argc, char **argv)
{
    double seconds = 5;
    unsigned long count = 20000, done = 0;
    for (int option; (option = getopt(argc, argv, "s:n:m:r:o:")) != -1;)
        switch (option) {
        case 's': seconds = atof(optarg); break;
        case 'n': count = strtoul(optarg, NULL, 0); break;
        case 'm': max_size = strtoul(optarg, NULL, 0); break;
        case 'r': state ^= strtoull(optarg, NULL, 0); break;
        case 'o': failed_path = optarg; break;
        default: return 2;
        }
    while (optind < argc)
        path_add(argv[optind++]);
    if (!input_count) { /* nothing given: the empty input */
        inputs = calloc(1, sizeof *inputs);
        inputs[input_count++].data = malloc(max_size);
    }
    current = malloc(max_size + 64);
    __sanitizer_set_death_callback(failed_write);
    signal(SIGPROF, hang);
    signal(SIGABRT, aborted);
    for (size_t i = 0; i < input_count; i++) {
        take(i);
        run_current();
    }
    for (clock_t end = clock() + (clock_t)(seconds * CLOCKS_PER_SEC); done < count && clock() < end; done++) {
        take(below(input_count));
        mutate();
        run_current();
    }
    printf("%zu inputs, %lu mutations, none failed\n", input_count, done);
    return 0;
}
