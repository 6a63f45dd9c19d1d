//! The resources of a computation: an instruction set, one pool of threads, memory for samples. They change no bit.

use crate::error::{Error, Result};
use agop_core::environment;
use agop_core::simd::Level;
use rayon::prelude::*;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The most threads that are started, however many are asked for: 256, or as many as the machine runs at once.
pub fn most_threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get).max(256)
}

/// The resources of a computation. They change no bit of its result.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Instruction set.
    pub level: Level,
    /// Threads.
    pub threads: Threads,
    /// The largest number of bytes for the inputs of samples. Larger inputs are read block by block at each use.
    pub memory: u64,
    /// The progress of the computation.
    pub progress: Progress,
}

/// Steps of a computation that are done, of those expected so far; clones count together.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<[AtomicU64; 2]>);

impl Progress {
    /// So many more steps are to come.
    pub fn expect(&self, steps: u64) {
        let [_, expected] = &*self.0;
        expected.fetch_add(steps, Ordering::Relaxed);
    }

    /// So many more are done.
    pub fn add(&self, steps: u64) {
        let [done, _] = &*self.0;
        done.fetch_add(steps, Ordering::Relaxed);
    }

    /// (done, expected).
    pub fn steps(&self) -> (u64, u64) {
        let [done, expected] = &*self.0;
        (done.load(Ordering::Relaxed), expected.load(Ordering::Relaxed))
    }
}

/// [`Machine::memory`] where nothing else is said: 1 GiB.
pub const MEMORY: u64 = 1 << 30;

impl Machine {
    /// An instruction set, a new pool of `threads` threads, and [`MEMORY`].
    ///
    /// # Errors
    /// As [`Threads::new`].
    pub fn new(level: Level, threads: usize) -> Result<Self> {
        let (threads, progress) = (Threads::new(threads)?, Progress::default());
        Ok(Self { level, threads, memory: MEMORY, progress })
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

    /// Calls `work` for each of `0 .. count` on the threads of the pool, and returns the results in that order.
    ///
    /// # Errors
    /// The first error in that order. [`agop_core::error::Error::Environment`] for a thread with a wrong floating-point
    /// environment, which each thread checks first.
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
