/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/peer.h"

int main(int argc, char **argv)
{
    return bench_peer_main(argc, argv);
}
