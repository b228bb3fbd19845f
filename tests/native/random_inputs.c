/* Feed random inputs to a fuzz target, where there is no fuzzer.
 *
 *     random_inputs SECONDS SEED
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LONGEST 400u

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

int
main(int argc, char **argv)
{
    uint8_t input[LONGEST];
    if (argc != 3) {
        return 2;
    }
    time_t deadline = time(NULL) + atoi(argv[1]);
    srand((unsigned)atoi(argv[2]));
    unsigned long inputs = 0;
    do {
        size_t size = (size_t)rand() % LONGEST;
        int quiet = rand() & 0xC0; /* most inputs change little: they get further */
        for (size_t i = 0; i < size; i++) {
            input[i] = (uint8_t)(rand() >> 8);
            if ((rand() & 0xFF) < quiet) {
                input[i] &= 0x3F;
            }
        }
        LLVMFuzzerTestOneInput(input, size);
        inputs++;
    } while (time(NULL) < deadline);
    printf("%lu inputs\n", inputs);
    return 0;
}
