//! Trains, measures, prints UC-NFC, C-NFC and the digest.
#![cfg_attr(target_os = "none", no_std, no_main)]

use firmware::Memory;

#[cfg(target_os = "none")]
mod bare {
    use super::Memory;
    use firmware::board::exit;

    #[cortex_m_rt::entry]
    fn main() -> ! {
        static mut MEMORY: Memory = Memory::new();
        #[cfg(feature = "print")]
        firmware::board::paint_stack();
        let outcome = MEMORY.train_and_measure();
        #[cfg(feature = "print")]
        if let Ok(outcome) = &outcome {
            use firmware::Print;
            let used = firmware::board::stack_used() as u64;
            let mut console = firmware::board::Console;
            console.outcome(outcome);
            console.text("memory  ");
            console.whole(firmware::BYTES as u64);
            console.text("\nstack   ");
            console.whole(used);
            console.text("\n");
        }
        exit(core::hint::black_box(outcome).is_ok())
    }

    /// Never linked: `run` looks whether it is.
    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        loop {}
    }
}

#[cfg(not(target_os = "none"))]
fn main() {
    struct Output;
    impl firmware::Print for Output {
        fn byte(&mut self, byte: u8) {
            print!("{}", char::from(byte));
        }
    }
    let mut memory = Box::new(Memory::new());
    let outcome = memory.train_and_measure().unwrap();
    firmware::Print::outcome(&mut Output, &outcome);
}
