/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_line.c: the line discipline, key by key. */

#include <signal.h>
#include "unit.h"
#include "line.h"

static struct line line;
static struct line_events events;

static void begin(void)
{
    line_destroy(&line);
    line_create(&line);
    events = (struct line_events){ 0 };
}

static void type_bytes(const char *text, size_t size)
{
    line_input(&line, (const uint8_t *)text, size, &events);
}
#define TYPE(TEXT) type_bytes(TEXT, sizeof(TEXT) - 1)

/* What the device got since the last time, as a string. */
static const char *shown(void)
{
    static char text[65536];

    if (line.output.length)
        memcpy(text, line.output.data, line.output.length);
    text[line.output.length] = 0;
    line.output.length = 0;
    return text;
}

static const char *read_some(size_t size)
{
    static char text[65536];
    size_t count = line_read(&line, (uint8_t *)text, size, &events);

    text[count] = 0;
    return text;
}

static const char *written(const char *text)
{
    line_write(&line, (const uint8_t *)text, strlen(text), 65536);
    return shown();
}

static void change(uint32_t set, uint32_t clear)
{
    struct modes modes = line.modes;

    modes.lflag = (modes.lflag | set) & ~clear;
    line_set_modes(&line, &modes, &events);
}

/* What a terminal shows after these bytes, one line, blanks at its end left out. */
static const char *screen(const char *bytes)
{
    static char text[256];
    size_t at = 0, end = 0;

    memset(text, ' ', sizeof text);
    for (; *bytes; bytes++) {
        if (*bytes == '\b')
            at -= at > 0;
        else if (*bytes == '\r')
            at = 0;
        else if (*bytes == '\t')
            at += 8 - at % 8;
        else
            text[at++] = *bytes;
    }
    for (size_t i = 0; i < sizeof text; i++)
        if (text[i] != ' ')
            end = i + 1;
    text[end] = 0;
    return text;
}

UNIT_TEST(a_line_is_read_when_it_ends)
{
    begin();
    TYPE("hello");
    CHECK(!line_readable(&line) && !events.readable);
    TYPE("\r");
    CHECK(line_readable(&line) && events.readable);
    CHECK_EQ(line_available(&line), 6);
    CHECK_STR(shown(), "hello\r\n");
    CHECK_STR(read_some(100), "hello\n");
    CHECK(!line_readable(&line));
}

UNIT_TEST(a_read_ends_with_the_line)
{
    begin();
    TYPE("one\ntwo\n");
    CHECK_STR(read_some(2), "on");
    CHECK_STR(read_some(100), "e\n");
    CHECK_EQ(line_available(&line), 4);
    CHECK_STR(read_some(100), "two\n");
}

UNIT_TEST(end_of_file)
{
    begin();
    TYPE("\4");
    CHECK(line_readable(&line));
    CHECK_STR(shown(), "^D\b\b");
    CHECK_STR(read_some(100), "");
    CHECK(!line_readable(&line));
    TYPE("abc\4");
    CHECK_STR(read_some(100), "abc");
    TYPE("abc\4");
    CHECK_STR(read_some(3), "abc"); /* takes the end of file along */
    CHECK(!line_readable(&line));
    TYPE("abc\4");
    CHECK_STR(read_some(2), "ab");
    CHECK_STR(read_some(2), "c");
    CHECK(!line_readable(&line));
}

UNIT_TEST(erase)
{
    begin();
    TYPE("abx\x7f");
    CHECK_STR(shown(), "abx\b \b");
    TYPE("c\n");
    CHECK_STR(read_some(100), "abc\n");
    TYPE("\x7f\x7f");
    CHECK_STR(shown(), "c\r\n");
    TYPE("a\tb\x7f\x7f");
    CHECK_STR(screen(shown()), "a");
    CHECK_EQ(line.column, 1);
    TYPE("\x02");
    CHECK_STR(screen(shown()), "^B");
    TYPE("\x7f\n");
    CHECK_STR(read_some(100), "a\n");
}

UNIT_TEST(erase_of_a_utf8_sequence)
{
    begin();
    TYPE("a\xc3\xa4");
    CHECK_EQ(line.column, 2);
    shown();
    TYPE("\x7f");
    CHECK_STR(shown(), "\b \b");
    TYPE("\n");
    CHECK_STR(read_some(100), "a\n");
    TYPE("a\xe4\x80\x7f\n"); /* a stray byte is one character */
    CHECK_STR(read_some(100), "a\n");
    TYPE("a\x80\x7f\n");
    CHECK_STR(read_some(100), "a\n");
}

UNIT_TEST(erase_after_other_output_types_the_line_anew)
{
    begin();
    TYPE("abc");
    shown();
    CHECK_STR(written("message\n"), "message\r\n");
    TYPE("\x7f");
    CHECK_STR(shown(), "^R\r\nabc\b \b");
}

UNIT_TEST(erase_without_echoe)
{
    begin();
    change(0, L_ECHOE);
    TYPE("ab\x7f");
    CHECK_STR(shown(), "ab^?");
    change(L_ECHOPRT, 0);
    TYPE("c\x7f" "d\n");
    CHECK_STR(shown(), "c\\c/d\r\n");
    CHECK_STR(read_some(100), "ad\n");
}

UNIT_TEST(erase_word)
{
    begin();
    TYPE("one two-three  \x17");
    CHECK_STR(screen(shown()), "one");
    TYPE("x\n");
    CHECK_STR(read_some(100), "one x\n");
    shown();
    change(L_ALTWERASE, 0);
    TYPE("one two-three\x17");
    CHECK_STR(screen(shown()), "one two-");
    TYPE("\x17\n");
    CHECK_STR(read_some(100), "one two\n");
}

UNIT_TEST(kill_line)
{
    begin();
    written("$ ");
    TYPE("abc\tdef\x15");
    CHECK_EQ(line.column, 2);
    shown();
    TYPE("x\n");
    CHECK_STR(read_some(100), "x\n");
    change(L_ECHOK, L_ECHOKE);
    shown();
    TYPE("abc\x15");
    CHECK_STR(shown(), "abc^U\r\n");
}

UNIT_TEST(reprint)
{
    begin();
    TYPE("abc\x12");
    CHECK_STR(shown(), "abc^R\r\nabc");
    TYPE("\n");
    CHECK_STR(read_some(100), "abc\n");
}

UNIT_TEST(literal_next)
{
    begin();
    TYPE("a\x16\x03\x16\x7f\n");
    CHECK_EQ(events.signals, 0);
    CHECK_STR(shown(), "a^\b^C^\b^?\r\n");
    CHECK_STR(read_some(100), "a\x03\x7f\n");
    TYPE("\x16\n"); /* a literal newline ends nothing */
    CHECK(!line_readable(&line));
    TYPE("\n");
    CHECK_STR(read_some(100), "\n\n");
}

UNIT_TEST(signal_keys)
{
    begin();
    TYPE("abc\x03");
    CHECK_EQ(events.signals, 1u << SIGINT);
    CHECK_STR(shown(), "^C"); /* abc's echo was flushed as well */
    TYPE("x\n");
    CHECK_STR(read_some(100), "x\n");
    events.signals = 0;
    TYPE("\x1c\x1a");
    CHECK_EQ(events.signals, 1u << SIGQUIT | 1u << SIGTSTP);
    events.signals = 0;
    change(L_NOFLSH, 0);
    TYPE("ab\x03" "c\n");
    CHECK_EQ(events.signals, 1u << SIGINT);
    CHECK_STR(read_some(100), "abc\n");
    events.signals = 0;
    change(0, L_ISIG);
    TYPE("\x03\n");
    CHECK_EQ(events.signals, 0);
    CHECK_STR(read_some(100), "\x03\n");
}

UNIT_TEST(delayed_suspend_acts_when_read)
{
    begin();
    TYPE("a\x19" "b\n");
    CHECK_EQ(events.signals, 0);
    CHECK_STR(read_some(100), "ab\n");
    CHECK_EQ(events.signals, 1u << SIGTSTP);
}

UNIT_TEST(stop_and_start)
{
    begin();
    TYPE("\x13");
    CHECK(line.stopped);
    TYPE("a");
    CHECK(line.stopped);
    TYPE("\x11");
    CHECK(!line.stopped && events.started);
    line.modes.iflag |= I_IXANY;
    events.started = false;
    TYPE("\x13" "b");
    CHECK(!line.stopped && events.started);
    line.modes.cc[CC_START] = line.modes.cc[CC_STOP];
    TYPE("\x13");
    CHECK(line.stopped);
    TYPE("\x13");
    CHECK(!line.stopped);
    TYPE("\x13");
    struct modes modes = line.modes;
    modes.iflag &= ~I_IXON;
    line_set_modes(&line, &modes, &events);
    CHECK(!line.stopped);
}

UNIT_TEST(discard)
{
    begin();
    TYPE("\x0f");
    CHECK_STR(shown(), "^O");
    CHECK_STR(written("nothing"), "");
    TYPE("a");
    CHECK_STR(shown(), "a");
    CHECK_STR(written("text"), "text");
}

UNIT_TEST(raw_mode)
{
    begin();
    change(0, L_ICANON | L_ECHO | L_ISIG | L_IEXTEN);
    TYPE("a\x03\x7f\4");
    CHECK(line_readable(&line) && events.readable);
    CHECK_EQ(line_available(&line), 4);
    CHECK_STR(shown(), "");
    CHECK_STR(read_some(3), "a\x03\x7f");
    CHECK_STR(read_some(3), "\4");
    CHECK(!line_readable(&line));
}

UNIT_TEST(changing_modes_keeps_what_was_typed)
{
    begin();
    TYPE("line\npart");
    change(0, L_ICANON);
    CHECK_EQ(line_available(&line), 9);
    CHECK_STR(read_some(7), "line\npa");
    change(L_ICANON, 0);
    CHECK_STR(read_some(100), "rt");
    CHECK(!line_readable(&line));
    CHECK_EQ(line.delimiters, 0);
}

UNIT_TEST(no_echo_but_newline)
{
    begin();
    change(L_ECHONL, L_ECHO);
    TYPE("secret\x7f\n");
    CHECK_STR(shown(), "\r\n");
    CHECK_STR(read_some(100), "secre\n");
}

UNIT_TEST(input_mapping)
{
    begin();
    line.modes.iflag = I_IGNCR;
    TYPE("a\rb\n");
    CHECK_STR(read_some(100), "ab\n");
    line.modes.iflag = I_INLCR;
    TYPE("a\n");
    CHECK(!line_readable(&line));
    line.modes.iflag = I_ISTRIP | I_IUCLC | I_ICRNL;
    TYPE("\xc1\r");
    CHECK_STR(read_some(100), "a\ra\n");
    line.modes.iflag = I_PARMRK;
    TYPE("\xff\n");
    CHECK_STR(read_some(100), "\xff\xff\n");
}

UNIT_TEST(output_mapping)
{
    begin();
    CHECK_STR(written("a\nb\tc\r\n"), "a\r\nb\tc\r\r\n");
    line.modes.oflag |= O_OXTABS | O_ONOEOT;
    CHECK_STR(written("ab\tc\4\n"), "ab      c\r\n");
    line.modes.oflag = O_OPOST | O_OCRNL | O_OLCUC;
    CHECK_STR(written("abC\r"), "ABC\n");
    line.modes.oflag = O_OPOST | O_ONOCR;
    line.column = 0;
    CHECK_STR(written("\ra\r"), "a\r");
    line.modes.oflag = 0;
    CHECK_STR(written("a\nb\t"), "a\nb\t");
}

UNIT_TEST(output_has_a_limit)
{
    static uint8_t text[10000];

    begin();
    memset(text, '\n', sizeof text);
    size_t taken = line_write(&line, text, sizeof text, 4096);
    CHECK(taken >= 2048 && taken < 2100);
    CHECK(line.output.length >= 4096 && line.output.length < 4110);
    CHECK_EQ(line_write(&line, text, sizeof text, 4096), 0);
    memset(text, 'x', sizeof text);
    line.output.length = 0;
    CHECK_EQ(line_write(&line, text, sizeof text, 4096), 4096);
    CHECK_EQ(line.output.length, 4096);
}

UNIT_TEST(too_much_input)
{
    begin();
    for (int i = 0; i < LINE_INPUT_MAX + 10; i++)
        TYPE("x");
    CHECK_EQ(line.edit.count, LINE_INPUT_MAX);
    CHECK_EQ(shown()[LINE_INPUT_MAX], '\a');
    TYPE("\n");
    CHECK(line_readable(&line));
    CHECK_EQ(line_available(&line), LINE_INPUT_MAX + 1);
    TYPE("\n\n");
    CHECK_EQ(line.delimiters, 1);
}

UNIT_TEST(input_flow_control)
{
    begin();
    line.modes.iflag |= I_IXOFF;
    change(0, L_ECHO | L_ICANON);
    for (int i = 0; i < LINE_XOFF_AT; i++)
        TYPE("x");
    CHECK_STR(shown(), "\x13");
    read_some(1000);
    CHECK_STR(shown(), "");
    read_some(LINE_XOFF_AT - LINE_XON_AT);
    CHECK_STR(shown(), "\x11");
}

UNIT_TEST(flushing_input)
{
    begin();
    TYPE("one\ntwo");
    line_flush_input(&line);
    CHECK(!line_readable(&line));
    TYPE("\n");
    CHECK_STR(read_some(100), "\n");
}

UNIT_TEST(external_processing_takes_keys_as_they_are)
{
    begin();
    change(L_EXTPROC, 0);
    TYPE("a\003\177b");
    CHECK(!line_readable(&line));
    TYPE("\n");
    CHECK_STR(read_some(100), "a\003\177b\n");
    CHECK(events.signals == 0);
    CHECK_STR(shown(), "");
}

UNIT_TEST(records_are_lines)
{
    begin();
    CHECK(line_input_record(&line, (const uint8_t *)"one\003two", 7, &events) == 7);
    CHECK(line_input_record(&line, NULL, 0, &events) == 0);
    CHECK(line_room(&line) == LINE_INPUT_MAX - 8);
    CHECK(line_available(&line) == 7);
    CHECK_STR(read_some(100), "one\003two");
    CHECK(line_readable(&line));
    CHECK_STR(read_some(100), "");
    CHECK(!line_readable(&line));
    uint8_t much[LINE_INPUT_MAX + 100] = { 0 };
    CHECK(line_input_record(&line, much, sizeof much, &events) == LINE_INPUT_MAX);
    CHECK(line_room(&line) == 0);
}

UNIT_TEST(echo_that_nobody_takes_does_not_grow_for_ever)
{
    begin();
    line_stop(&line);
    line.modes.iflag &= ~I_IXON;
    for (int i = 0; i < 100000; i++)
        TYPE("x");
    CHECK(line.output.length <= LINE_ECHO_MAX + 8);
    line.output.length = 0;
}

UNIT_TEST(pending_input_is_typed_anew_when_asked)
{
    begin();
    TYPE("half");
    shown();
    written("noise\n");
    change(L_PENDIN, 0);
    CHECK(!(line.modes.lflag & L_PENDIN));
    CHECK_STR(shown(), "^R\r\nhalf");
}

UNIT_TEST(any_bytes_in_any_mode_do_no_harm)
{
    uint32_t seed = 12345;

    begin();
    for (int round = 0; round < 3000; round++) {
        uint8_t bytes[40], into[64];
        struct modes modes = line.modes;

        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
        if (round % 7 == 0) {
            memcpy(&modes.iflag, bytes, 4);
            memcpy(&modes.oflag, bytes + 4, 4);
            memcpy(&modes.lflag, bytes + 8, 4);
            memcpy(modes.cc, bytes + 12, CC_COUNT);
            line_set_modes(&line, &modes, &events);
        }
        line_input(&line, bytes, sizeof bytes, &events);
        line_write(&line, bytes, sizeof bytes, 4096);
        if (line_readable(&line)) {
            size_t wanted = seed % sizeof into, available = line_available(&line);
            size_t count = line_read(&line, into, wanted, &events);
            CHECK(count <= wanted && count <= available);
        }
        CHECK(line.delimiters <= line.input.count);
        if (round % 3 == 0)
            line.output.length = 0;
    }
    line_destroy(&line);
}

UNIT_MAIN
