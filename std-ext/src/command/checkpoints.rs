//! How often a training keeps its state, and how it is interrupted.

use crate::error::{Error, Result};
use crate::run::folder::{Folder, checkpoint_of};
use crate::run::place::{Place, rescue};
use crate::run::train::Run;
use agop_core::scalar::Real;
use std::io::Write;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Between two checkpoints.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Every {
    Updates(u64),
    Time(Duration),
}

impl FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let seconds = |n: u64, each: u64| n.checked_mul(each).map(|n| Self::Time(Duration::from_secs(n)));
        let parsed = match (number.parse(), unit) {
            (Ok(0), _) => None,
            (Ok(n), "") => Some(Self::Updates(n)),
            (Ok(n), "s") => seconds(n, 1),
            (Ok(n), "m") => seconds(n, 60),
            (Ok(n), "h") => seconds(n, 3600),
            _ => None,
        };
        parsed.ok_or_else(|| "expected a number of updates, at least 1, or a time: 30s, 10m, 2h".to_owned())
    }
}

/// Keeps the states of one run, and stops it when the process is asked to end.
pub(super) struct Keeper<'k> {
    every: Every,
    newest: Instant,
    place: &'k Place,
    /// Whether the newest state could not be kept, which was said.
    failing: bool,
    interrupted: Arc<AtomicBool>,
}

impl<'k> Keeper<'k> {
    /// `interrupted` as [`listen`] gives it.
    pub(super) fn new(every: Every, place: &'k Place, interrupted: Arc<AtomicBool>) -> Self {
        Self { every, newest: Instant::now(), place, failing: false, interrupted }
    }

    /// Writes the state of a run if it is due, and returns whether the run continues. A failed write is reported and
    /// does not stop the training.
    ///
    /// # Errors
    /// When the process is to end and the state cannot be kept.
    pub(super) fn between<T: Real>(
        &mut self,
        run: &Run<'_, T>,
        last: u64,
        messages: &mut dyn Write,
    ) -> Result<bool> {
        let (step, stop) = (run.step(), self.interrupted.load(Ordering::Relaxed));
        let due = match self.every {
            Every::Updates(n) => step > 0 && step % n == 0,
            Every::Time(time) => self.newest.elapsed() >= time,
        };
        if due || stop || step == last {
            let kept = run.save(&self.place.path().join(checkpoint_of(run.rule())));
            self.newest = Instant::now();
            match kept {
                Err(error) if stop => return Err(Error::Message(format!("interrupted, and {error}"))),
                Err(error) if !self.failing => {
                    self.failing = true;
                    // Nobody need read it.
                    let _ = writeln!(messages, "agop: {error}; the training goes on without this checkpoint");
                }
                Err(_) => {}
                Ok(()) => self.failing = false,
            }
        }
        Ok(!stop)
    }

    /// Writes the finished run to its folder. If that fails, writes it to another folder with enough space.
    ///
    /// # Errors
    /// The error of the first folder; it names the second one.
    pub(super) fn write(&self, folder: &Folder) -> Result<()> {
        self.place.write(folder).map_err(|error| match rescue(folder) {
            Some(path) => {
                Error::Message(format!("{error}; the trained run stands whole in {}", path.display()))
            }
            None => error,
        })
    }
}

/// Whether the process was asked to end, by Ctrl-C or by SIGTERM, from here on. Asked again, it ends at once.
pub(super) fn listen() -> Arc<AtomicBool> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::flag::{register, register_conditional_shutdown};
    static ASKED: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    let ask = || {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // Where a signal cannot be caught it ends the process, as everywhere else.
            let _ = register_conditional_shutdown(signal, super::INTERRUPTED.into(), Arc::clone(&asked));
            let _ = register(signal, Arc::clone(&asked));
        }
        // A file that may not grow is then an error of the write, not the end of the process.
        #[cfg(unix)]
        let _ = register(signal_hook::consts::SIGXFSZ, Arc::default());
        asked
    };
    Arc::clone(ASKED.get_or_init(ask))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn updates_and_times_are_read() {
        let seconds = |n| Ok(Every::Time(Duration::from_secs(n)));
        let cases = [
            ("100", Ok(Every::Updates(100))),
            ("30s", seconds(30)),
            ("10m", seconds(600)),
            ("2h", seconds(7200)),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Every>(), expected, "{text}");
        }
        for text in [
            "",
            "0",
            "0s",
            "00",
            "-1",
            "s",
            "1d",
            "1 s",
            "1.5m",
            "99999999999999999999",
            "9999999999999999999h",
        ] {
            assert!(text.parse::<Every>().is_err(), "{text}");
        }
    }
}
