//! Cortex-M: semihosting.

use cortex_m_rt::{entry, exception};
use cortex_m_semihosting::debug::{EXIT_FAILURE, EXIT_SUCCESS, exit};
use cortex_m_semihosting::hio::hstdout;

#[entry]
fn main() -> ! {
    let printed = hstdout().map_err(|()| core::fmt::Error).and_then(|mut out| crate::report(&mut out));
    loop {
        exit(if printed.is_ok() { EXIT_SUCCESS } else { EXIT_FAILURE });
    }
}

#[exception]
unsafe fn HardFault(_: &cortex_m_rt::ExceptionFrame) -> ! {
    loop {
        exit(EXIT_FAILURE);
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        exit(EXIT_FAILURE);
    }
}
