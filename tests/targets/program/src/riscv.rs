//! RISC-V without an operating system, on QEMU's "virt" machine: serial port and test finisher.

use core::fmt;
use core::ptr::write_volatile;

// Stack, floating-point unit on (mstatus.FS = 1), then Rust. The second argument to csrs does nothing without a unit.
core::arch::global_asm!(
    ".section .start, \"ax\"",
    ".globl _start",
    "_start:",
    "la sp, _stack",
    "li t0, 0x2000",
    "csrs mstatus, t0",
    "call entry",
);

struct Serial;

impl fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            // SAFETY: the data register of the board's serial port.
            unsafe { write_volatile(0x1000_0000 as *mut u8, byte) };
        }
        Ok(())
    }
}

fn exit(code: u32) -> ! {
    loop {
        // SAFETY: the board's test finisher.
        unsafe { write_volatile(0x10_0000 as *mut u32, code) };
    }
}

const PASS: u32 = 0x5555;
const FAIL: u32 = 0x1_3333;

// SAFETY: the name is the one that the start-up code calls, and no other.
#[unsafe(no_mangle)]
extern "C" fn entry() -> ! {
    exit(if crate::report(&mut Serial).is_ok() { PASS } else { FAIL })
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(FAIL)
}
