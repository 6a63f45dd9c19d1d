//! WebAssembly: the host gives `print`, and calls `golden`, which returns 0 when everything was printed.

use core::fmt;

#[link(wasm_import_module = "host")]
unsafe extern "C" {
    fn print(text: *const u8, length: usize);
}

struct Host;

impl fmt::Write for Host {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // SAFETY: the host reads the text and keeps nothing.
        unsafe { print(text.as_ptr(), text.len()) };
        Ok(())
    }
}

// SAFETY: the name is exported once.
#[unsafe(no_mangle)]
pub extern "C" fn golden() -> i32 {
    i32::from(crate::report(&mut Host).is_err())
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
