// What MicroPython's QEMU port lacks of a real board. The port's own functions are hooked with the linker's --wrap.

#include <stddef.h>
#include <stdint.h>

#include "py/gc.h"
#include "py/mphal.h"
#include "py/runtime.h"
#include "shared/runtime/pyexec.h"
#include "uart.h"

// --- sleeping -----------------------------------------------------------------------------------------------------
// A prompt that polls would keep one of the desktop's cores busy. Interrupts stay masked: a pending one only ends the sleep.

#if defined(__arm__)
#define UART_CTRL (*(volatile uint32_t *)0x40004008)
#define UART_INTSTATUS (*(volatile uint32_t *)0x4000400c)
#define NVIC_ISER (*(volatile uint32_t *)0xe000e100)
#define NVIC_ICPR (*(volatile uint32_t *)0xe000e280)
#define UART_STATE_RXFULL (1 << 1)
#define UART_STATE (*(volatile uint32_t *)0x40004004)

static void sleep_init(void) {
    __asm volatile("cpsid i");
    UART_CTRL |= 1 << 3; // interrupt on reception: number 0
    NVIC_ISER = 1;
}

static void sleep_until_input(void) {
    UART_INTSTATUS = 2;
    NVIC_ICPR = 1;
    if (!(UART_STATE & UART_STATE_RXFULL)) {
        __asm volatile("dsb\n wfi");
    }
}
#else
#define PLIC(offset) (*(volatile uint32_t *)(0x0c000000 + (offset)))
#define UART_INTERRUPT 10

static void sleep_init(void) {
    *(volatile uint8_t *)0x10000001 = 1; // interrupt on reception
    PLIC(4 * UART_INTERRUPT) = 1;        // its priority
    PLIC(0x2000) = 1 << UART_INTERRUPT;  // machine mode of the first core gets it
    PLIC(0x200000) = 0;                  // whatever its priority
    __asm volatile("csrw mie, %0" ::"r"(1 << 11));
}

static void sleep_until_input(void) {
    PLIC(0x200004) = PLIC(0x200004); // claim and complete
    if (!(*(volatile uint8_t *)0x10000005 & 1)) {
        __asm volatile("wfi");
    }
}
#endif

// --- starting -----------------------------------------------------------------------------------------------------

void __real_uart_init(void);

void __wrap_uart_init(void) {
#if defined(__ARM_FP)
    // The port never enables the FPU.
    *(volatile uint32_t *)0xe000ed88 |= 0xf << 20;
    __asm volatile("dsb\n isb" ::: "memory");
#endif
#if defined(__arm__)
    *(volatile uint32_t *)0x40000008 = 0xffffffff; // CMSDK timer 0: reload
    *(volatile uint32_t *)0x40000004 = 0xffffffff; // value
    *(volatile uint32_t *)0x40000000 = 1;          // run
#endif
    __real_uart_init();
    sleep_init();
}

// The emulator writes here how many bytes of heap it wants, see picorl_host/emulator.py; 0 means all there are.
extern volatile uint32_t picorl_heap_size;

void __real_gc_init(void *start, void *end);

void __wrap_gc_init(void *start, void *end) {
    uint32_t wanted = picorl_heap_size;
    if (wanted > 0 && wanted < (uint32_t)((char *)end - (char *)start)) {
        end = (char *)start + wanted;
    }
    __real_gc_init(start, end);
}

void __real_mp_init(void);

void __wrap_mp_init(void) {
    __real_mp_init();
    pyexec_frozen_module("_boot.py", false);
}

// --- time ---------------------------------------------------------------------------------------------------------

#if defined(__arm__)
#define TICKS_PER_US 25

// The timer counts down and wraps every 171 s: poll() looks often enough.
static uint64_t ticks(void) {
    static uint32_t last, wraps;
    uint32_t now = ~*(volatile uint32_t *)0x40000004;
    wraps += now < last;
    last = now;
    return (uint64_t)wraps << 32 | now;
}
#else
#define TICKS_PER_US 10

static uint64_t ticks(void) {
    volatile uint32_t *mtime = (volatile uint32_t *)0x0200bff8;
    uint32_t low, high;
    do {
        high = mtime[1];
        low = mtime[0];
    } while (high != mtime[1]);
    return (uint64_t)high << 32 | low;
}
#endif

mp_uint_t mp_hal_ticks_us(void) {
    return ticks() / TICKS_PER_US;
}

mp_uint_t mp_hal_ticks_ms(void) {
    return ticks() / (TICKS_PER_US * 1000);
}

mp_uint_t mp_hal_ticks_cpu(void) {
    return ticks();
}

uint64_t mp_hal_time_ns(void) {
    return ticks() * (1000 / TICKS_PER_US);
}

void mp_hal_delay_us(mp_uint_t us) {
    uint64_t start = ticks();
    while (ticks() - start < (uint64_t)us * TICKS_PER_US) {
        mp_handle_pending(true);
        picorl_board_poll();
    }
}

void mp_hal_delay_ms(mp_uint_t ms) {
    mp_hal_delay_us(ms * 1000);
}

// --- input --------------------------------------------------------------------------------------------------------

extern int mp_interrupt_char;
void mp_sched_keyboard_interrupt(void);
int __real_uart_rx_chr(void);

// What arrived while a program ran.
static uint8_t input[256];
static unsigned input_first, input_length;

// The VM calls this: Ctrl-C interrupts, other input waits.
void picorl_board_poll(void) {
    static unsigned count;
    if (++count % 64) {
        return;
    }
    ticks();
    while (input_length < sizeof(input)) {
        int c = __real_uart_rx_chr();
        if (c < 0) {
            return;
        }
        if (c == mp_interrupt_char) {
            input_length = 0;
            mp_sched_keyboard_interrupt();
        } else {
            input[(input_first + input_length++) % sizeof(input)] = c;
        }
    }
}

int __wrap_uart_rx_chr(void) {
    if (!input_length) {
        int c = __real_uart_rx_chr();
        if (c < 0) {
            sleep_until_input();
        }
        return c;
    }
    int c = input[input_first++ % sizeof(input)];
    input_length--;
    return c;
}
