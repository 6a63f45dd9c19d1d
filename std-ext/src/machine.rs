//! What a computation runs on: an instruction set and one pool of threads, made once. Neither changes a bit.

use crate::error::{Error, Result};
use agop_core::environment;
use agop_core::simd::Level;
use rayon::prelude::*;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// The most threads that are started, however many are asked for: 256, or as many as the machine runs at once.
pub fn most_threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get).max(256)
}

/// How a computation is executed; none of it changes a bit.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Instruction set.
    pub level: Level,
    /// Threads.
    pub threads: Threads,
}

impl Machine {
    /// An instruction set, and a new pool of `threads` threads.
    ///
    /// # Errors
    /// As [`Threads::new`].
    pub fn new(level: Level, threads: usize) -> Result<Self> {
        Ok(Self { level, threads: Threads::new(threads)? })
    }
}

/// A pool of threads; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Threads {
    /// `None`: the caller's thread does all the work.
    pool: Option<Arc<rayon::ThreadPool>>,
}

impl Threads {
    /// Starts `count` threads, at least one and at most [`most_threads`]; one is that of the caller.
    ///
    /// # Errors
    /// [`Error::Message`] when they cannot be started.
    pub fn new(count: usize) -> Result<Self> {
        let count = count.clamp(1, most_threads());
        if count == 1 {
            return Ok(Self::one());
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build();
        let pool = pool.map_err(|error| Error::Message(format!("{count} threads: {error}")))?;
        Ok(Self { pool: Some(Arc::new(pool)) })
    }

    /// The thread of the caller alone.
    pub fn one() -> Self {
        Self::default()
    }

    /// Number of threads.
    pub fn count(&self) -> usize {
        self.pool.as_ref().map_or(1, |pool| pool.current_num_threads())
    }

    /// Does `work` for each of `0 .. count`, several at once, and gives the results in that order.
    ///
    /// # Errors
    /// The first in that order; [`agop_core::error::Error::Environment`] when a thread's floating-point environment is
    /// unsound: every thread has its own, and checks it before it works.
    pub fn each<R: Send, E: From<agop_core::error::Error> + Send>(
        &self,
        count: usize,
        work: impl Fn(usize) -> std::result::Result<R, E> + Sync,
    ) -> std::result::Result<Vec<R>, E> {
        let work = |index| {
            environment::check_thread()?;
            work(index)
        };
        let Some(pool) = &self.pool else { return (0..count).map(work).collect() };
        let results: Vec<_> = pool.install(|| (0..count).into_par_iter().map(work).collect());
        results.into_iter().collect()
    }

    /// The pool, where there is more than one thread.
    pub(crate) fn pool(&self) -> Option<&rayon::ThreadPool> {
        self.pool.as_deref()
    }
}
