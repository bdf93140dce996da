//! Units of work, and how they wait in a queue.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::oneshot;

use crate::{StoreError, Tx};

/// A unit that writes: all of it is committed, or nothing. It may run again
/// after a lost race, and it runs to its end though its caller is gone.
pub trait Write: Send + Sync + 'static {
    /// What the caller gets, after the commit.
    type Out: Send + 'static;

    /// Runs the unit. An error rolls back what it wrote.
    fn run(&self, tx: &mut Tx<'_>) -> impl Future<Output = Result<Self::Out, StoreError>> + Send;
}

/// A unit that only reads.
pub trait Read: Send + Sync + 'static {
    /// What the caller gets.
    type Out: Send + 'static;

    /// Runs the unit.
    fn run(&self, tx: &mut Tx<'_>) -> impl Future<Output = Result<Self::Out, StoreError>> + Send;
}

/// A unit in the queue of a SQLite thread, whatever it answers.
pub(crate) trait Queued: Send {
    /// Runs the unit once and keeps its answer; false means to roll back.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Gives the kept answer to the caller, or `failure` if the batch was lost.
    fn answer(self: Box<Self>, failure: Option<&str>);
}

/// A unit with the way back to its caller.
pub(crate) struct Waiting<U, Out> {
    unit: U,
    run: for<'t> fn(&'t U, &'t mut Tx<'_>) -> BoxFuture<'t, Result<Out, StoreError>>,
    kept: Option<Result<Out, StoreError>>,
    caller: oneshot::Sender<Result<Out, StoreError>>,
}

impl<U, Out> Waiting<U, Out> {
    pub(crate) fn write(unit: U) -> (Box<Self>, oneshot::Receiver<Result<Out, StoreError>>)
    where
        U: Write<Out = Out>,
    {
        Self::new(unit, |unit, tx| Box::pin(Write::run(unit, tx)))
    }

    pub(crate) fn read(unit: U) -> (Box<Self>, oneshot::Receiver<Result<Out, StoreError>>)
    where
        U: Read<Out = Out>,
    {
        Self::new(unit, |unit, tx| Box::pin(Read::run(unit, tx)))
    }

    fn new(
        unit: U,
        run: for<'t> fn(&'t U, &'t mut Tx<'_>) -> BoxFuture<'t, Result<Out, StoreError>>,
    ) -> (Box<Self>, oneshot::Receiver<Result<Out, StoreError>>) {
        let (caller, answer) = oneshot::channel();
        (Box::new(Self { unit, run, kept: None, caller }), answer)
    }
}

impl<U: Send, Out: Send> Queued for Waiting<U, Out> {
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        // rusqlite never waits, so one poll finishes the unit.
        let poll = || (self.run)(&self.unit, tx).now_or_never().unwrap_or(Err(StoreError::Stopped));
        // A unit that panics is rolled back; the thread and the other units go on.
        let result = catch_unwind(AssertUnwindSafe(poll)).unwrap_or(Err(StoreError::Panicked));
        let keep = result.is_ok();
        self.kept = Some(result);
        keep
    }

    fn answer(self: Box<Self>, failure: Option<&str>) {
        let result = match (self.kept, failure) {
            (Some(Err(error)), _) => Err(error),
            (Some(Ok(out)), None) => Ok(out),
            (_, Some(failure)) => Err(StoreError::Batch(failure.to_owned())),
            (None, None) => Err(StoreError::Stopped),
        };
        // The caller may be gone; the unit is done all the same.
        let _ = self.caller.send(result);
    }
}
