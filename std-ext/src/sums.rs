//! Sums over samples on several threads: each owns a run of whole blocks, and the partial sums merge in order, so the
//! number of threads never changes a bit. Nor does it change which error is reported: the first in order, not in time.

use crate::machine::Threads;
use crate::memory::Aligned;
use agop_core::environment;
use agop_core::error::Error;
use agop_core::kernel::Backend;
use agop_core::reduce::{SAMPLE_BLOCK, SampleTree, blocks, buffers, partial_buffers};
use agop_core::scalar::Scalar;
use rayon::prelude::*;
use std::ops::Range;

/// The memory of a sum over samples, and the threads that share it out.
#[derive(Debug)]
pub struct SampleSum<T> {
    threads: Threads,
    workers: Vec<Worker<T>>,
    length: usize,
    capacity: usize,
}

#[derive(Debug)]
struct Worker<T> {
    storage: Aligned<T>,
    workspace: Aligned<T>,
}

impl<T: Scalar + Send + Sync> SampleSum<T> {
    /// Memory for sums of vectors of `length` values over at most `samples` samples, with `workspace` values for each
    /// thread. Threads beyond the number of blocks of samples take no part.
    ///
    /// # Errors
    /// When the memory cannot be had.
    pub fn new(
        threads: &Threads,
        length: usize,
        samples: usize,
        workspace: usize,
    ) -> crate::error::Result<Self> {
        let count = threads.count().min(blocks(samples as u64).max(1) as usize);
        let share = blocks(samples as u64).div_ceil(count as u64);
        let workers = (0..count).map(|worker| {
            let buffers = match worker {
                0 => buffers(samples as u64).max(partial_buffers(share)),
                _ => partial_buffers(share),
            };
            let storage = Aligned::filled("sums over samples", buffers.saturating_mul(length), T::zero())?;
            Ok(Worker { storage, workspace: Aligned::filled("workspace", workspace, T::zero())? })
        });
        let workers = workers.collect::<crate::error::Result<_>>()?;
        Ok(Self { threads: threads.clone(), workers, length, capacity: samples })
    }

    /// Sums over samples `0 .. samples`: `add` is called for ranges of samples with the tree they belong to and a
    /// workspace, on the thread that owns them.
    ///
    /// # Errors
    /// The first error of `add` in order of samples; [`Error::Workspace`] for more samples than were announced;
    /// [`Error::Environment`] for a thread with a wrong floating-point environment, which each thread checks first.
    pub fn sum<B: Backend<T> + Send + Sync, E: From<Error> + Send>(
        &mut self,
        backend: B,
        samples: usize,
        add: impl Fn(Range<usize>, &mut SampleTree<'_, T>, &mut [T]) -> Result<(), E> + Sync,
    ) -> Result<SampleTree<'_, T>, E> {
        let length = self.length;
        if samples > self.capacity {
            let (needed, found) = (samples, self.capacity);
            return Err(Error::Workspace { what: "sum over samples", needed, found }.into());
        }
        let share = blocks(samples as u64).div_ceil(self.workers.len() as u64);
        let range = |index: usize| {
            let first = share as usize * index * SAMPLE_BLOCK;
            let end = share as usize * (index + 1) * SAMPLE_BLOCK;
            first.min(samples)..end.min(samples)
        };
        let (Some(pool), false) = (self.threads.pool(), self.workers.len() == 1) else {
            let Some(worker) = self.workers.first_mut() else { return Err(Error::NoSamples.into()) };
            return summed(worker, length, 0, range(0), &add);
        };
        let workers = &mut self.workers;
        let trees: Vec<Result<_, E>> = pool.install(|| {
            workers
                .par_iter_mut()
                .enumerate()
                .filter(|(index, _)| *index == 0 || !range(*index).is_empty())
                .map(|(index, worker)| summed(worker, length, share * index as u64, range(index), &add))
                .collect()
        });
        let mut trees = trees.into_iter();
        let mut first = trees.next().ok_or(Error::NoSamples)??;
        for later in trees {
            first.merge(backend, &later?)?;
        }
        Ok(first)
    }

    /// The threads.
    pub fn threads(&self) -> &Threads {
        &self.threads
    }
}

fn summed<'w, T: Scalar, E: From<Error>>(
    worker: &'w mut Worker<T>,
    length: usize,
    start: u64,
    range: Range<usize>,
    add: &impl Fn(Range<usize>, &mut SampleTree<'_, T>, &mut [T]) -> Result<(), E>,
) -> Result<SampleTree<'w, T>, E> {
    environment::check_thread()?;
    let Worker { storage, workspace } = worker;
    let workspace = workspace.as_mut_slice();
    let mut tree = SampleTree::new(storage.as_mut_slice(), length, start)?;
    if !range.is_empty() {
        add(range, &mut tree, workspace)?;
    }
    Ok(tree)
}
