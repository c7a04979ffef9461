/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The boot script's parser. */

#include "script.h"

static const struct {
    const char *name;
    enum script_function function;
    enum script_pass pass;
} functions[] = {{"task-create", SCRIPT_TASK_CREATE, SCRIPT_CREATE},
                 {"ramdisk-create", SCRIPT_RAMDISK_CREATE, SCRIPT_CREATE},
                 {"task-resume", SCRIPT_TASK_RESUME, SCRIPT_RESUME},
                 {"prompt-task-resume", SCRIPT_PROMPT_TASK_RESUME, SCRIPT_RESUME}};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool same(const char *text, size_t length, const char *word)
{
    size_t i = 0;
    while (i < length && word[i] == text[i] && word[i])
        i++;
    return i == length && word[i] == 0;
}

static bool fail(struct script_error *error, unsigned int module, const char *line, const char *at, const char *reason)
{
    *error = (struct script_error){module, (unsigned int)(at - line) + 1, reason};
    return false;
}

/* The closing CLOSE of what begins at AT; NULL: the line or the word ends before. */
static const char *closing(const char *at, char close)
{
    while (*at && *at != close && !is_blank(*at))
        at++;
    return *at == close ? at : NULL;
}

/* $( ... ) at AT: calls it if it belongs to PASS. */
static bool call(const char *line, const char *at, const char *end, unsigned int module, enum script_pass pass,
                 const struct script_actions *actions, void *cookie, struct script_error *error)
{
    const char *name = at + 2, *function = name;
    size_t name_length = 0;
    for (const char *c = name; c < end; c++)
        if (*c == '=') {
            name_length = (size_t)(c - name);
            function = c + 1;
            if (name_length == 0)
                return fail(error, module, line, c, "an assignment without a name");
            break;
        }
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (!same(function, (size_t)(end - function), functions[i].name))
            continue;
        if (name_length && functions[i].pass == SCRIPT_RESUME)
            return fail(error, module, line, at, "the function has no result to assign");
        const char *why = functions[i].pass == pass
                              ? actions->call(cookie, module, functions[i].function, name, name_length)
                              : NULL;
        return why ? fail(error, module, line, at, why) : true;
    }
    return fail(error, module, line, function, "no such function");
}

bool script_run(const char *line, unsigned int module, enum script_pass pass, const struct script_actions *actions,
                void *cookie, struct script_error *error)
{
    for (const char *at = line; *at; at++) {
        if (at[0] != '$' || at[1] != '(')
            continue;
        const char *end = closing(at, ')');
        if (end == NULL)
            return fail(error, module, line, at, "no closing parenthesis");
        if (!call(line, at, end, module, pass, actions, cookie, error))
            return false;
        at = end;
    }
    return true;
}

/* Where arguments are written. */
struct output {
    char *to;
    size_t size, used;
};

static bool put(struct output *output, char c)
{
    if (output->used >= output->size)
        return false;
    output->to[output->used++] = c;
    return true;
}

/* One word, from *AT on; moves it behind the word.  *WRITTEN: it is an argument. */
static bool word(const char *line, const char **position, unsigned int module, const struct script_actions *actions,
                 void *cookie, struct output *output, bool *written, struct script_error *error)
{
    const char *at = *position;
    bool is_call = false, is_text = false;
    while (*at && !is_blank(*at)) {
        if (at[0] == '$' && (at[1] == '(' || at[1] == '{')) {
            const char *end = closing(at, at[1] == '(' ? ')' : '}');
            if (end == NULL)
                return fail(error, module, line, at, at[1] == '(' ? "no closing parenthesis" : "no closing brace");
            if (at[1] == '(') {
                is_call = true;
            } else {
                size_t room = output->size - output->used;
                int length = actions->variable(cookie, module, at + 2, (size_t)(end - at - 2),
                                               output->to + output->used, room);
                if (length < 0)
                    return fail(error, module, line, at, "no such variable");
                if ((size_t)length >= room)
                    return fail(error, module, line, at, "the arguments are too long");
                output->used += (size_t)length;
                is_text = true;
            }
            at = end + 1;
            continue;
        }
        if (!put(output, *at))
            return fail(error, module, line, at, "the arguments are too long");
        is_text = true;
        at++;
    }
    *position = at;
    *written = is_text || !is_call;
    if (*written && !put(output, 0))
        return fail(error, module, line, at, "the arguments are too long");
    return true;
}

bool script_arguments(const char *line, unsigned int module, const struct script_actions *actions, void *cookie,
                      char *to, size_t size, unsigned int *count, size_t *used, struct script_error *error)
{
    struct output output = {to, size, 0};
    *count = 0;
    for (const char *at = line;;) {
        bool written;
        while (is_blank(*at))
            at++;
        if (*at == 0)
            break;
        if (!word(line, &at, module, actions, cookie, &output, &written, error))
            return false;
        *count += written;
    }
    *used = output.used;
    return true;
}

const char *script_word_value(const char *words, const char *name, size_t length, size_t *value_length)
{
    for (const char *at = words; *at;) {
        while (is_blank(*at))
            at++;
        size_t i = 0;
        while (i < length && at[i] == name[i] && at[i])
            i++;
        if (i == length && at[i] == '=') {
            const char *value = at + i + 1;
            *value_length = 0;
            while (value[*value_length] && !is_blank(value[*value_length]))
                (*value_length)++;
            return value;
        }
        while (*at && !is_blank(*at))
            at++;
    }
    return NULL;
}
