//! With an operating system: standard output.

use std::fmt;

struct Text(String);

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.push_str(text);
        Ok(())
    }
}

pub fn main() {
    let mut out = Text(String::new());
    crate::report(&mut out).unwrap();
    print!("{}", out.0);
}
