//! Semihosting, the counter of instructions, and the mark that the stack leaves.

use crate::Print;
use cortex_m_semihosting::{debug, syscall1};

/// Prints through the debugger, a character at a time: no buffer, no error.
pub struct Console;

impl Print for Console {
    fn byte(&mut self, byte: u8) {
        // SAFETY: the call reads one byte.
        unsafe { syscall1!(WRITEC, &raw const byte as usize) };
    }
}

/// Ends the program.
pub fn exit(passed: bool) -> ! {
    loop {
        debug::exit(if passed { debug::EXIT_SUCCESS } else { debug::EXIT_FAILURE });
    }
}

const PAINT: u32 = 0x5ac3_96a5;

unsafe extern "C" {
    static mut __sheap: u32;
    static _stack_start: u32;
}

/// Paints the memory between the statics and the stack in use. Call it first.
#[inline(always)]
pub fn paint_stack() {
    let mut place = &raw mut __sheap;
    // A frame's room is left for this function itself.
    let end = (cortex_m::register::msp::read() as usize).wrapping_sub(256) as *mut u32;
    while place < end {
        // SAFETY: the linker puts nothing there, and the stack has not come so far.
        unsafe { place.write_volatile(PAINT) };
        place = place.wrapping_add(1);
    }
}

/// Bytes of stack that were used since: from its start to the lowest place that has lost its paint.
pub fn stack_used() -> usize {
    let mut place = &raw const __sheap;
    let start = &raw const _stack_start;
    // SAFETY: memory between the statics and the start of the stack.
    while place < start && unsafe { place.read_volatile() } == PAINT {
        place = place.wrapping_add(1);
    }
    start as usize - place as usize
}

/// No device, so no interrupts: the start-up code asks for a table, and would reserve one of 240 places itself.
// SAFETY: the section and the name are those that the start-up code expects; the one interrupt is never enabled.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
pub static __INTERRUPTS: [u32; 1] = [0];
