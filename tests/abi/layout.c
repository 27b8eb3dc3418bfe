/* SPDX-License-Identifier: Apache-2.0 */
#include "layout.h"

const struct layout layouts_in_c[] = {LAYOUTS};
