/* SPDX-License-Identifier: Apache-2.0 */
/* Reading sizes and words from the environment. */
#include "test.h"

#include "os/env.h"

#include <errno.h>
#include <stdlib.h>

static const char *const variable = "FILCH_TEST_VARIABLE";

static void expect_size(const char *text, int error, size_t expected)
{
    size_t value = 12345;
    if (text != NULL)
        setenv(variable, text, 1);
    else
        unsetenv(variable);
    assert_int_equal(filch__env_size(variable, 77, &value), error);
    assert_int_equal(value, error == 0 ? expected : 12345);
}

xt_define(sizes)
{
    expect_size(NULL, 0, 77);
    expect_size("", 0, 77);
    expect_size("1", 0, 1);
    expect_size("007", 0, 7);
    expect_size("1K", 0, 1024);
    expect_size("3M", 0, 3 << 20);
    expect_size("2G", 0, (size_t)2 << 30);
    expect_size("18446744073709551615", 0, SIZE_MAX);
    expect_size("18014398509481983K", 0, SIZE_MAX - 1023);
}

xt_define(what_is_no_size)
{
    static const char *const bad[] = {"0",   "00", "0K",  "-1",  "+1",   " 1", "1 ",
                                      "1.5", "K",  "1KB", "1k",  "1T",   "x",  "0x10",
                                      "1e3", "1,", "1\n", "1KK", "1234z"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_size(bad[i], EINVAL, 0);
    expect_size("18446744073709551616", EINVAL, 0);
    expect_size("18014398509481984K", EINVAL, 0);
    expect_size("17179869184G", EINVAL, 0);
    expect_size("99999999999999999999999999999999", EINVAL, 0);
}

xt_define(words)
{
    static const char *const list[] = {"cores", "none", "no"};
    size_t chosen = 9;
    unsetenv(variable);
    assert_int_equal(filch__env_word(variable, list, 3, &chosen), 0);
    assert_int_equal(chosen, 9);
    setenv(variable, "", 1);
    assert_int_equal(filch__env_word(variable, list, 3, &chosen), 0);
    assert_int_equal(chosen, 9);
    setenv(variable, "no", 1);
    assert_int_equal(filch__env_word(variable, list, 3, &chosen), 0);
    assert_int_equal(chosen, 2);
    setenv(variable, "cores", 1);
    assert_int_equal(filch__env_word(variable, list, 3, &chosen), 0);
    assert_int_equal(chosen, 0);
    static const char *const bad[] = {"n", "nones", "None", " none", "cores,none"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        setenv(variable, bad[i], 1);
        assert_int_equal(filch__env_word(variable, list, 3, &chosen), EINVAL);
        assert_int_equal(chosen, 0);
    }
    assert_int_equal(filch__env_word(variable, list, 0, &chosen), EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        xt_test(sizes),
        xt_test(what_is_no_size),
        xt_test(words),
    };
    return xt_run(tests);
}
